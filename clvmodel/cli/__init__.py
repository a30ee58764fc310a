"""The command line: read, call one public function, write."""
