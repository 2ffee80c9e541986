"""The native half of the SDK; here it is Python as well."""
