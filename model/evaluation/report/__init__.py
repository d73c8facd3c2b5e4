"""What an evaluation came to, for people: Markdown, and a page that is one file, from predictions in the store alone.

gathering   the numbers, and the gaps to what the model has not seen
examples    the best and the worst answers, with masks drawn
figures     plots as SVG
saying      what the numbers show, and what they don't, in sentences
markdown    the report as Markdown
page        the report as HTML
card        the model card
job         both, and the card, written where they belong
"""
