"""The page: what people see of the cluster in a browser, served beside the API and using nothing but it."""
