"""The page to explore a study with: one HTML file, with its data and its library inside.

`content` gathers what it shows from tables and runs, `mistakes` finds the images and classes that networks get wrong,
`words` has the headings of its tables in both languages, `build` puts everything into one file. In `assets` are its
words, the template, the style and the script that draws it in a browser. Nothing here imports torch.
"""
