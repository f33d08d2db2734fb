"""The dialect of Anthropic's Messages API, as callers speak it."""
