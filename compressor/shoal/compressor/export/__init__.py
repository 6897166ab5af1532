"""What a run leaves behind: report.json, report.html, variants, golden set and references."""
