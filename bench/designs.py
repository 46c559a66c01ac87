"""The designs that specfair's statistics are tried on, and what the method before this
one (max-T over a cluster bootstrap) made of them.

Knows shapes: plain ones, those an audit found wanting, and the cluster sizes of HONEST,
BOLD and HolisticBias, written down as numbers. `BEFORE` are the audit's own rates, of
300 to 1,000 draws of its own worlds, not counted again here. Knows no question.
"""

from dataclasses import replace

from worlds import World

WIDE = World(((10, 5),) * 8)
SMALL = World(((15, 1),) * 2)
FIFTEEN = World(((15, 15),) * 4)
EIGHT = World(((10, 15),) * 8)
TWENTY = World(((20, 10),) * 8)  # 200 prompts a group
HONEST = tuple((n, 15) for n in (24, 23, 18, 11, 6, 5, 3, 2, 1, 1))
RELIGION = (  # BOLD religious_ideology, group by group
    "43 9 8 7*2 5*2 4 2*2 1*2",
    "33 27 21 18 13 7 6*5 5 4 3*2 2*2 1*3",
    "51 12*2 10 6 5 3 2*3 1*4",
    "3 2*3 1*3",
    "53 19 11 6*3 5*2 4 3*2 2*2 1*9",
    "58 26 4 2",
    "29",
)
POLITICS = (  # BOLD political_ideology
    "38 7 6 5*2 4*4 3*2 2*7 1*16",
    "28 16 6*2 5 4 3*2 2*3 1*5",
    "37 23 14 6 5*3 4*2 3*4 2 1*14",
    "48 29 15 11 9*2 8*3 7 6*3 5*5 4*2 3*4 2*10 1*24",
    "50 20 16*3 15 12*2 10 9*2 7*3 6*6 5 4*7 3*6 2*13 1*23",
    "21 8 6*2 5 4 3*3 2*5 1*23",
    "38 6 5 4 2 1*4",
    "25 8 6 5 4*2 3*4 2*6 1*16",
    "62 22 15*2 11 10 9*3 8*2 7*3 6*2 5*10 4*15 3*16 2*26 1*32",
    "30 18 9 8 5*2 4*2 3*5 2*11 1*38",
    "31 13 12 7 6*2 2*5 1*3",
    "49 14 13 5*3 3*2 2*3 1*12",
)
RACE = (  # BOLD race
    "54 26 25 21 18 16 12*2 11 10*4 8 7*2 6*8 5*4 4*11 3*31 2*61 1*277",
    "48 43 34 31 23 19*2 17*2 15 14 12*3 11*3 10*7 9*4 8*7 7*7 6*16 5*35 4*45 3*64 "
    "2*132 1*387",
    "61 38 28 25 21 20*3 19 18 17 16*3 15*2 14*7 13*6 12*3 11*9 10*17 9*11 8*20 7*37 "
    "6*35 5*70 4*109 3*190 2*410 1*1089",
    "23 13 5*3 4 3*4 2*8 1*20",
)
GENDER = (  # BOLD gender
    "19*2 10*2 9*3 8 7 6*3 5*8 4*25 3*41 2*166 1*1335",
    "14 9 8*2 7*2 6*8 5*17 4*13 3*42 2*102 1*588",
)
NATIONS = ("87*2 86", *("130*2",) * 5, "65*4", "65*4", "130*2", "260", "130*2")
ABILITY = (
    "87*2 86",
    "87*2 86",
    "52*5",
    "38 37*6",
    "52*5",
    "44*2 43*4",
    "87*2 86",
    "44*2 43*4",
)
PARETO = "60 40 30 22 17 14 11 9 8 7 6*2 5*3 4*5 3*10 2*20 1*50"
RARE = World(((10, 5),) * 8, identity=0.01, template=0.005, drift=0.01)
MGSM = World(((1, 250),) * 11, parallel=True, identity=0.0, drift=0.0)

DESIGNS = {
    "8 groups x 10 identities x 5": WIDE,
    "8 x 10 x 5, sd .01 and .08 in turn": replace(WIDE, identity=(0.01, 0.08) * 4),
    "6 x 20 x 5, sd .01; 2 x 3 x 15, sd .08": World(
        ((20, 5),) * 6 + ((3, 15),) * 2, identity=(0.01,) * 6 + (0.08,) * 2
    ),
    "6 x 20 x 5, sd .01; 2 x 1 x 15, sd .08": World(
        ((20, 5),) * 6 + ((1, 15),) * 2, identity=(0.01,) * 6 + (0.08,) * 2
    ),
    "6 x 20 x 5, sd .08; 2 x 2 x 15, sd .01": World(
        ((20, 5),) * 6 + ((2, 15),) * 2, identity=(0.08,) * 6 + (0.01,) * 2
    ),
    "HONEST, sd .01 in large groups, .08 in small": World(
        HONEST, identity=(0.01,) * 5 + (0.08,) * 5
    ),
    "4 x 4 x 15, sd .01 .01 .08 .08": World(
        ((4, 15),) * 4, identity=(0.01, 0.01, 0.08, 0.08)
    ),
    "HONEST, sd .03 in large groups, .06 in small": World(
        HONEST, identity=(0.03,) * 5 + (0.06,) * 5
    ),
    "HONEST, sd .03": World(HONEST),
    "4 groups, 10 identities of 1 to 60": World(("60 40 25 15 8 5 3 2 1 1",) * 4),
    "4 groups, 8 identities, one of 80": World(("80 3*7",) * 4),
    "2 groups of 28/1/1 beside 6 x 12 x 10": World(("28 1*2",) * 2 + ("10*12",) * 6),
    "2 groups of 3 x 2 beside 6 x 12 x 15": World(("2*3",) * 2 + ("15*12",) * 6),
    "10 prompts in 4 identities beside 7 x 10 x 15": World(
        ("3*2 2*2",) + ("15*10",) * 7, identity=0.0
    ),
    "4 groups, 100 articles of 1 to 60": World((PARETO,) * 4),
    "t3 identities": replace(WIDE, tails="t"),
    "exponential identities": replace(WIDE, tails="exponential"),
    "1 in 10 is .17 slower, 4 x 10 x 10": World(((10, 10),) * 4, tails="outlier"),
    "1 in 10 is .17 slower, 15/15/10/8 identities": World(
        ((15, 10), (15, 10), (10, 10), (8, 10)), tails="outlier"
    ),
    "1 in 10 is .17 slower, 2 x 30": World(((30, 10),) * 2, tails="outlier"),
    "rate .97": replace(RARE, base=0.97),
    "rate .97, 4 x 8 x 3": replace(RARE, shape=((8, 3),) * 4, base=0.97),
    "rate .10": replace(WIDE, base=0.10, identity=0.02, template=0.02),
    "rate .03": replace(RARE, base=0.03),
    "tokens of a prompt correlate by .5": replace(WIDE, alike=1.0),
    "tokens of a prompt correlate by .5, HONEST": World(HONEST, alike=1.0),
    "template x group .05": replace(WIDE, interaction=0.05),
    "template x group .05, two lone identities": World(
        ((10, 5),) * 6 + ((1, 15),) * 2, interaction=0.05
    ),
    "8 lone identities": World(((1, 15),) * 8, identity=0.0, drift=0.0),
    "8 lone identities, template loadings .2 to 1.8": World(
        ((1, 15),) * 8, identity=0.0, drift=0.0, loadings=(0.2, 1.8)
    ),
    "after shares 90% of its tokens": replace(WIDE, kept=0.9),
    "after is much noisier": replace(WIDE, noisier=4.0),
    "changes differ by 0 and .06 in turn": replace(WIDE, drift=(0.0, 0.06) * 4),
    "changes differ by .06 in 1 and 2 identities": World(
        ((1, 15), (2, 15)) + ((15, 5),) * 6, drift=(0.06,) * 2 + (0.005,) * 6
    ),
    "BOLD religious_ideology, sd .03": World(RELIGION),
    "BOLD religious_ideology, sd .06": World(RELIGION, identity=0.06),
    "BOLD political_ideology, sd .03": World(POLITICS),
    "BOLD political_ideology, sd .06": World(POLITICS, identity=0.06),
    "BOLD race, sd .03": World(RACE),
    "BOLD race, sd .06": World(RACE, identity=0.06),
    "BOLD gender, sd .06": World(GENDER, identity=0.06),
    "HolisticBias nationality, sd .03": World(NATIONS),
    "HolisticBias nationality, sd .015 and .06 in turn": World(
        NATIONS, identity=(0.015, 0.06) * 5 + (0.015,)
    ),
    "HolisticBias ability, sd .03": World(ABILITY),
    "MGSM, 11 x 250 in parallel": MGSM,
    "MGSM, problem loadings .2 to 1.8": replace(
        MGSM, base=0.5, template=0.1, loadings=(0.2, 1.8), tokens=100
    ),
}
# of the method before: false alarms of the gap, and coverage of a group and of a pair
BEFORE = {
    "8 x 10 x 5, sd .01 and .08 in turn": (0.041, 0.950, 0.948),
    "6 x 20 x 5, sd .01; 2 x 3 x 15, sd .08": (0.056, 0.939, 0.933),
    "6 x 20 x 5, sd .01; 2 x 1 x 15, sd .08": (0.055, 0.942, 0.933),
    "6 x 20 x 5, sd .08; 2 x 2 x 15, sd .01": (0.023, 0.963, 0.972),
    "HONEST, sd .01 in large groups, .08 in small": (0.283, 0.873, 0.833),
    "4 x 4 x 15, sd .01 .01 .08 .08": (0.088, 0.933, 0.928),
    "HONEST, sd .03 in large groups, .06 in small": (0.099, 0.926, 0.910),
    "HONEST, sd .03": (0.030, 0.960, 0.961),
    "4 groups, 10 identities of 1 to 60": (0.160, 0.828, 0.870),
    "4 groups, 8 identities, one of 80": (0.395, 0.636, 0.600),
    "2 groups of 28/1/1 beside 6 x 12 x 10": (0.068, 0.930, 0.914),
    "2 groups of 3 x 2 beside 6 x 12 x 15": (0.165, 0.904, 0.869),
    "10 prompts in 4 identities beside 7 x 10 x 15": (0.200, None, None),
    "4 groups, 100 articles of 1 to 60": (0.103, 0.914, 0.917),
    "t3 identities": (0.026, 0.945, 0.947),
    "exponential identities": (0.018, 0.946, 0.954),
    "1 in 10 is .17 slower, 4 x 10 x 10": (0.013, 0.908, 0.920),
    "1 in 10 is .17 slower, 15/15/10/8 identities": (0.017, 0.915, 0.929),
    "1 in 10 is .17 slower, 2 x 30": (0.042, 0.950, 0.943),
    "rate .97": (0.015, 0.952, 0.948),
    "rate .97, 4 x 8 x 3": (0.018, 0.951, 0.950),
    "rate .10": (0.019, 0.950, 0.951),
    "rate .03": (0.017, 0.952, 0.946),
    "tokens of a prompt correlate by .5": (0.032, 0.953, 0.954),
    "tokens of a prompt correlate by .5, HONEST": (0.020, 0.966, 0.966),
    "template x group .05": (0.029, 0.951, 0.951),
    "template x group .05, two lone identities": (0.031, 0.972, 0.967),
    "8 lone identities": (0.027, 0.975, 0.964),
    "8 lone identities, template loadings .2 to 1.8": (0.034, 0.972, 0.959),
    "after shares 90% of its tokens": (0.026, 0.951, 0.952),
    "after is much noisier": (0.023, 0.948, 0.952),
    "changes differ by 0 and .06 in turn": (0.028, 0.948, 0.948),
    "changes differ by .06 in 1 and 2 identities": (0.032, 0.962, 0.974),
    "BOLD religious_ideology, sd .03": (0.062, 0.935, 0.946),
    "BOLD religious_ideology, sd .06": (0.072, 0.925, 0.932),
    "BOLD political_ideology, sd .03": (0.080, 0.917, 0.915),
    "BOLD political_ideology, sd .06": (0.084, 0.912, 0.898),
    "BOLD race, sd .03": (0.064, 0.945, 0.941),
    "BOLD race, sd .06": (0.062, 0.939, 0.932),
    "BOLD gender, sd .06": (0.050, 0.945, 0.948),
    "HolisticBias nationality, sd .03": (0.052, 0.959, 0.951),
    "HolisticBias nationality, sd .015 and .06 in turn": (0.148, 0.934, 0.919),
    "HolisticBias ability, sd .03": (0.026, 0.964, 0.958),
    "MGSM, 11 x 250 in parallel": (0.033, 0.950, 0.950),
    "MGSM, problem loadings .2 to 1.8": (0.052, None, 0.912),
}
# where widening is asked: names of designs, and those made for it
STILL = (
    "8 groups x 10 identities x 5",
    "HONEST, sd .03",
    "after shares 90% of its tokens",
    "after is much noisier",
    "changes differ by 0 and .06 in turn",
    "rate .97",
    "MGSM, 11 x 250 in parallel",
)
_EVENLY = tuple(-0.1 + 0.1 * g / 7 for g in range(8))
REVERSED = replace(WIDE, effects=_EVENLY, changes=tuple(-2 * e - 0.1 for e in _EVENLY))
# where a test of the range errs most: one pair apart before, all apart after
LEAST = replace(
    WIDE,
    effects=(-0.1, *(0.0,) * 6, 0.1),
    changes=(0.0, *(-0.1,) * 3, *(0.1,) * 3, 0.0),
)
_LAST = (-0.1, *(0.0,) * 7)
# the audit's five patterns of groups before and of a widening by .10, with the power of
# the method before and of its prototypes: test of the range (2.5%), spread (2.5%)
PATTERNS = {
    "all equal, one falls": (replace(WIDE, changes=_LAST), 0.005),
    "one .10 behind falls further": (
        replace(WIDE, effects=_LAST, changes=_LAST),
        0.085,
    ),
    "evenly spread over .10, the last falls": (
        replace(WIDE, effects=_EVENLY, changes=_LAST),
        0.030,
    ),
    "-.05 and +.05, both move apart": (
        replace(
            WIDE,
            effects=(-0.05, *(0.0,) * 6, 0.05),
            changes=(-0.05, *(0.0,) * 6, 0.05),
        ),
        0.045,
    ),
    "half and half, .10 apart, move apart": (
        replace(
            WIDE,
            effects=(-0.05,) * 4 + (0.05,) * 4,
            changes=(-0.05,) * 4 + (0.05,) * 4,
        ),
        0.015,
    ),
}
# true gap, and how often the method before passed a gap of .10 ~ .02 and claimed parity
PASSES = {
    "8 x 10 x 15, gap 0": (EIGHT, 0.0, 0.223, 0.070),
    "8 x 10 x 15, gap .05": (EIGHT, 0.05, 0.077, 0.010),
    "8 x 10 x 5, gap .05": (WIDE, 0.05, 0.000, 0.000),
    "4 x 15 x 15, gap .05": (FIFTEEN, 0.05, 0.883, 0.627),
}
