"""The story: the whole line from consent to payout, played with real keys through the same doors as any user.

    cast.py      who takes part, with which data and policies
    play.py      the steps, each of which asks the chain what is done already, so that it can be stopped and resumed anywhere
    record.py    what the chain says afterwards, as var/story.json
    __main__.py  `python -m marketplace.story`: against a running marketplace, or starting one of its own

It holds no power of the operator: contributors and owners sign on the chain, the builder acts through the REST API with a token.
"""
