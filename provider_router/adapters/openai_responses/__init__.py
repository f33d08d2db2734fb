"""The dialect of OpenAI's Responses, as OpenAI and Perplexity's Agent API speak it."""
