"""Money: balances and transfers as the ledger tells them, and who earned what from which job and which model."""
