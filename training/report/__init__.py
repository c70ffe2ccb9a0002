"""One HTML page on how good a bundle is and where it fails, and the same numbers as JSON.

`training.report.writing.write_report` writes the folder, called by
`python -m training.evaluate BUNDLE --data FOLDER --report DIR`.
"""
