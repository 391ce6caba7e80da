# Configuration of the linter pint: `pint --offline --config alerts/pint.hcl lint --fail-on info alerts/rules`.
checks {
  # It fears that after a restart one side of a ratio is there and the other is not yet. Here both sides are recorded
  # from the same series of the same scrape.
  disabled = ["promql/fragile"]
}
