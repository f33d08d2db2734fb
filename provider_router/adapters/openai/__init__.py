"""The dialect of OpenAI's chat completions and embeddings, as OpenAI, llama.cpp, Ollama, vLLM and others speak it."""
