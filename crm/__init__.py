"""CRM: customers, projects, cases and the customer time line."""
