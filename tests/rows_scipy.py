"""Rows of the op table for scipy.special; none where SciPy is missing, and then no test of it runs."""

from __future__ import annotations

from typing import Any

import numpy as np
from op_row import REFERENCES, A, Row, row

from microgd.ops.special import polygamma

try:
    from scipy import special as sp
except ImportError:
    sp = None


def rows() -> list[Row]:
    from microgd.ops.scipy_special import inverse_mills

    REFERENCES[polygamma] = sp.polygamma
    REFERENCES[inverse_mills] = lambda x: np.exp(-x * x / 2) / (2 * np.pi) ** 0.5 / sp.ndtr(x)
    unary: dict[str, list[Any]] = {
        "real": [
            *(sp.erf, sp.erfc, sp.erfcx, sp.erfi, sp.dawsn, sp.ndtr, sp.log_ndtr, inverse_mills),
            *(sp.expit, sp.log_expit, sp.exprel, sp.exp2, sp.exp10, sp.expm1),
            *(sp.sindg, sp.cosdg, sp.tandg, sp.cosm1, sp.rgamma, sp.j0, sp.j1, sp.i0, sp.i1, sp.wrightomega),
        ],
        "positive": [
            *(sp.entr, sp.log1p, sp.exp1, sp.expi, sp.cotdg, sp.gamma, sp.gammaln, sp.loggamma, sp.psi, sp.spence),
            *(sp.y0, sp.y1, sp.k0, sp.k1, sp.k0e, sp.k1e),
        ],
        "nonzero": [sp.cbrt, sp.i0e, sp.i1e],
        "unit": [sp.erfinv, sp.ellipk, sp.ellipe],
        "low": [sp.ndtri_exp],
        "divisor": [sp.logit, sp.erfcinv, sp.ndtri],
    }
    twos = [
        (sp.xlogy, "real", "positive"),
        (sp.xlog1py, "real", "positive"),
        (sp.rel_entr, "positive", "positive"),
        (sp.kl_div, "positive", "positive"),
        (sp.huber, "divisor", "low"),
        (sp.huber, "high", "middle"),
        (sp.pseudo_huber, "positive", "real"),
        (sp.boxcox, "positive", "real"),
        (sp.boxcox1p, "positive", "real"),
        (sp.powm1, "positive", "real"),
        (sp.inv_boxcox, "unit", "unit"),
        (sp.inv_boxcox1p, "unit", "unit"),
        (sp.owens_t, "real", "real"),
        (sp.beta, "positive", "positive"),
        (sp.betaln, "positive", "positive"),
    ]
    with_order = [
        *((f, 1.5) for f in (sp.gammainc, sp.gammaincc, sp.jv, sp.yv, sp.iv, sp.ive, sp.kv, sp.kve, sp.hyp0f1)),
        *((f, 1.5) for f in (sp.chdtr, sp.chdtrc, sp.pdtr, sp.pdtrc, sp.stdtr)),
        *((f, 2) for f in (sp.yn, sp.kn)),
    ]
    polynomials = [sp.eval_chebyt, sp.eval_chebyu, sp.eval_legendre]
    polynomials += [sp.eval_laguerre, sp.eval_hermite, sp.eval_hermitenorm]
    wider_polynomials = [sp.eval_gegenbauer, sp.eval_jacobi, sp.eval_genlaguerre]
    return [
        *[row(f, A((2, 3), domain)) for domain, functions in unary.items() for f in functions],
        *[row(f, A((2, 3), first), A((3,), second)) for f, first, second in twos],
        *[row(f, order, A((2, 3), "positive")) for f, order in with_order],
        *[row(f, 1.5, A((3,), "divisor")) for f in (sp.gammaincinv, sp.gammainccinv, sp.stdtrit)],
        *[row(f, 1.5, 2.5, A((3,), "divisor")) for f in (sp.betainc, sp.betaincinv, sp.betaincc, sp.betainccinv)],
        *[row(f, 2.5, 1.5, A((3,), "positive")) for f in (sp.fdtr, sp.fdtrc)],
        *[row(f, degree, A((2, 3))) for f in polynomials for degree in (0, 1, 4)],
        *[row(f, 3, *[0.5, 1.5][: f.nin - 2], A((3,))) for f in wider_polynomials],
        *[row(f, A((3,), "unit"), 0.5) for f in (sp.ellipkinc, sp.ellipeinc)],
        row(polygamma, 1, A((2, 3), "positive")),
        row(sp.hyp1f1, 1.5, 2.5, A((2, 3))),
        row(sp.hyp2f1, 1.5, 0.5, 2.5, A((2, 3), "unit")),
        *[row(f.outer, A((2,), first), A((2,), second)) for f, first, second in twos[:4] + twos[5:]],
        *[row(f.outer, [0.5, order], A((2,), "positive")) for f, order in with_order[:-2]],
        *[row(f.outer, [0, order], A((2,), "positive")) for f, order in with_order[-2:]],
        *[row(f.outer, [0.5, 1.5], A((2,), "divisor")) for f in (sp.gammaincinv, sp.gammainccinv, sp.stdtrit)],
        *[row(f.outer, [2, 3], A((2,))) for f in polynomials],
        *[row(f.outer, A((2,), "unit"), [0.5, 0.25]) for f in (sp.ellipkinc, sp.ellipeinc)],
    ]


ROWS: list[Row] = rows() if sp else []
OF_FLOATS: list[Row] = [row(f, A((2, 3))) for f in (sp.gammasgn, sp.round)] if sp else []
