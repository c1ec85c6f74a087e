"""The extended experiments of the book, in rooms named by their question.

============================  ==================================================================
`bn_experiments.exact`        What are the same objects, and the verdict, in exact arithmetic?
`bn_experiments.datasets`     On which learning sets: random ones, and those of scikit-learn?
`bn_experiments.probability`  How often does the lemma fail at random, and by how much?
`bn_experiments.search`       Where are the optima, if no formula gives them?
`bn_experiments.certify`      Can a computer prove that the lemma fails?
`bn_experiments.variants`     What of batch norm as frameworks ship it?
`bn_experiments.networks`     What does batch norm do to networks of any depth?
`bn_experiments.check`        Does the lemma hold on a table of your own?
`bn_experiments.sweeps`       Which large runs are behind the chapters?
`bn_experiments.book`         How do the chapters look?
============================  ==================================================================

Rooms are built on `bnlib`, which imports none of them, and on rooms further up this list.
"""
