"""Plain data -> one HTML file that needs no network: pictures lie in it, nothing is fetched, nothing runs."""
