"""PDF documents: the HTML that a template makes, laid out on pages. Engine and fonts come in a layer of their own."""
