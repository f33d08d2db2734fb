"""What the router knows: models, chats, prices and errors. No I/O, no clock."""
