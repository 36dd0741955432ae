"""Learning from people: what they said of outputs, what follows from it, and what is proposed and measured."""
