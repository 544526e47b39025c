"""What every app stands on: errors, the base of the HTTP API, blobs, work in the background, the page's files, the supervisor."""
