"""A vision-language model's way to a target, behind a server that speaks the OpenAI chat API."""
