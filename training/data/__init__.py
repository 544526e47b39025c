"""From the contributors' files to the rows that training sees: read strictly, joined in a fixed order, each row knowing whose it is."""
