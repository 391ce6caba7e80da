"""The dashboards under live traffic; a package, so that its run ends with its last test."""
