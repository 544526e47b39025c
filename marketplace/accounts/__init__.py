"""Who somebody is: a principal that proves itself by a signature. Sessions for people, API tokens for programs; no passwords, no accounts to lose."""
