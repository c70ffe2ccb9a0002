"""Evaluation report of a bundle: an HTML page with scores and failures, and the same numbers as JSON.

`training.report.writing.write_report` writes the folder; it is called by
`python -m training.evaluate BUNDLE --data FOLDER --report DIR`.
"""
