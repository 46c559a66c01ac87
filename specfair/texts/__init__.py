"""What is read: prompts by group and corpora, from files, the hub or the shipped
world.
"""
