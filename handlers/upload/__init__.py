"""The client that puts files into whichever cloud takes them: `npx sls upload`, or `python -m handlers.upload`."""
