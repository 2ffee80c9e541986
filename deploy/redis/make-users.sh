#!/bin/sh
# Print the ACL file of Redis: users.acl.in with the SHA-256 of each user's password.
#
#   make-users.sh FOLDER > users.acl
#
# FOLDER holds the files producer, worker and admin: a password each and nothing else. The clients read the same
# files (--redis-password-file). Passwords appear neither in arguments nor in the output. For where only a shell is;
# `spanserve queue users FOLDER` prints the same, and producers that may use one queue each.
set -eu

folder=${1:?usage: make-users.sh FOLDER > users.acl}

hash() {
    password=$(tr -d '\r\n' <"$folder/$1")
    if [ -z "$password" ]; then
        echo "make-users.sh: $folder/$1 holds no password" >&2
        exit 1
    fi
    printf %s "$password" | sha256sum | cut -d ' ' -f 1
}

producer=$(hash producer)
worker=$(hash worker)
admin=$(hash admin)
sed -e "s/@PRODUCER@/#$producer/" -e "s/@WORKER@/#$worker/" -e "s/@ADMIN@/#$admin/" "$(dirname "$0")/users.acl.in"
