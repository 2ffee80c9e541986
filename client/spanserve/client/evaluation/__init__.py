"""An evaluation: a data set through workers into a ledger, and from there into scores and files.

Dataset -> tasks -> Transport -> Ledger, Results -> scores, output, report
"""
