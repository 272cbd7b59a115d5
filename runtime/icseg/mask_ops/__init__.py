"""From mask logits to masks, boxes, areas and encodings."""
