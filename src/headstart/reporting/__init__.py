"""What all pages share: charts, HTML, number formats, the console."""
