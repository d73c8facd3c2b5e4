"""The only room that talks to a language model. It proposes; code elsewhere checks and decides."""
