"""What each contributor's data is worth to the result: Shapley values of the game whose players are datasets and whose worth is utility.

The value of a dataset is what it adds on average when the datasets join in a random order. Source: L. S. Shapley (1953), "A value for
n-person games"; for data, A. Ghorbani and J. Zou (2019), "Data Shapley: Equitable Valuation of Data for Machine Learning".
"""
