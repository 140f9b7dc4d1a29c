"""Pure rules of customers, projects and cases."""
