"""Everything a person sees: pages rendered on the server, their forms and their addresses."""
