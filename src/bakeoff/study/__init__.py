"""The study: its configuration, validated and resolved into what each job needs to know."""
