"""The adapters: e-mail over SMTP, webhooks over HTTPS, and what speaks through them."""
