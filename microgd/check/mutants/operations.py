"""Operations: functions with arrays as their result, right backward passes in several forms, and wrong ones.

The notation is that of ``losses``; here ``g`` is the gradient that arrives from above, of the result's shape.
"""

from microgd.check.mutants.problem import problem

BATCH_NORM = "c = x - mean(x, 0); s = 1/sqrt(mean(c**2, 0) + 1e-3); n = c*s; m = len(x)"
LAYER_NORM = "c = x - mean(x, 1, keepdims=True); s = 1/sqrt(mean(c**2, 1, keepdims=True) + 1e-3); n = c*s"
SOFTMAX = "e = exp(x); p = e/sum(e, axis=1, keepdims=True)"
ATTENTION = "A = softmax(Q@K.T/2); D = g@V.T; S = A*(D - sum(D*A, 1, keepdims=True))"

OPERATIONS = [
    # ---- elementwise -----------------------------------------------------------------------------------------
    problem(
        "multiply",
        "x*y",
        {"x": "4 3", "y": "4 3"},
        "",
        {"x": ["g*y", "y*g", "einsum('ij,ij->ij', g, y)"], "y": ["g*x", "array([u*v for u, v in zip(g, x)])"]},
        {
            "x": [
                ("wrong variable", "g*x"),
                ("missing factor", "g"),
                ("upstream not multiplied", "g + y"),
                ("extra factor", "g*x*y"),
            ],
            "y": [("extra factor", "g*g*x"), ("wrong variable", "g*y")],
        },
    ),
    problem(
        "divide",
        "x/y",
        {"x": "5", "y": "positive 5"},
        "",
        {"x": ["g/y", "g*y**-1.0"], "y": ["-g*x/y**2", "-g*(x/y)/y", "-g*x*exp(-2*log(y))"]},
        {
            "x": [
                ("missing factor", "g"),
                ("swapped arguments|wrong variable", "g/x"),
                ("missing factor|extra factor", "g*y"),
            ],
            "y": [("extra factor|missing factor", "-g*x/y"), ("missing factor", "-g/y**2"), ("wrong variable", "g/y")],
        },
    ),
    problem(
        "tanh",
        "tanh(x)",
        {"x": "6"},
        "t = tanh(x)",
        {"x": ["g*(1 - t**2)", "g/cosh(x)**2", "g*(1 - t)*(1 + t)", "4*g/(exp(x) + exp(-x))**2"]},
        {
            "x": [
                ("missing factor", "g"),
                ("wrong variable", "g*(1 - x**2)"),
                ("wrong variable", "g*(1 - tanh(t)**2)"),
                ("extra factor", "g*(1 - t**2)**2"),
                ("upstream not multiplied", "g + 1 - t**2"),
                ("wrong variable", "g*t"),
            ]
        },
    ),
    problem(
        "sigmoid",
        "1/(1 + exp(-x))",
        {"x": "6"},
        "a = 1/(1 + exp(-x))",
        {"x": ["g*a*(1 - a)", "g*(a - a*a)", "g*exp(-x)*a**2", "g/(2 + exp(x) + exp(-x))", "g/(4*cosh(x/2)**2)"]},
        {
            "x": [
                ("missing factor", "g*a"),
                ("wrong variable", "g*x*(1 - x)"),
                ("sign", "-g*exp(-x)*a**2"),
                ("missing factor", "g*a**2"),
                ("extra factor|missing factor", "g*a*(1 - a)*a"),
            ]
        },
    ),
    problem(
        "relu",
        "relu(x)",
        {"x": "8"},
        "",
        {"x": ["g*(x > 0)", "where(x > 0, g, 0)", "g*(sign(x) + 1)/2", "g*maximum(x, 0)/x"]},
        {"x": [("missing factor", "g"), ("extra factor", "g*maximum(x, 0)"), ("missing factor", "g*sign(x)")]},
    ),
    problem(
        "leaky relu",
        "where(x > 0, x, 0.1*x)",
        {"x": "8"},
        "",
        {"x": ["where(x > 0, g, 0.1*g)", "g*(0.1 + 0.9*(x > 0))", "g*where(x > 0, x, 0.1*x)/x"]},
        {
            "x": [
                ("missing factor", "where(x > 0, g, 0)"),
                ("missing factor|factor", "g"),
                ("extra factor", "g*where(x > 0, x, 0.1*x)"),
            ]
        },
    ),
    problem(
        "softplus",
        "log(1 + exp(x))",
        {"x": "6"},
        "a = 1/(1 + exp(-x))",
        {"x": ["g*a", "g*exp(x)/(1 + exp(x))", "g*(1 - 1/(1 + exp(x)))", "g*(1 + tanh(x/2))/2"]},
        {"x": [("missing factor", "g/(1 + exp(x))"), ("missing factor", "g*exp(x)"), ("extra factor", "g*a**2")]},
    ),
    problem(
        "swish",
        "x*sigmoid(x)",
        {"x": "6"},
        "a = 1/(1 + exp(-x))",
        {"x": ["g*(a + x*a*(1 - a))", "g*a*(1 + x*(1 - a))", "g*(x*a + a*(1 - x*a))"]},
        {
            "x": [
                ("missing factor", "g*a"),
                ("missing factor", "g*x*a*(1 - a)"),
                ("missing factor", "g*(a + x)"),
                ("sign", "g*(a - x*a*(1 - a))"),
            ]
        },
    ),
    problem(
        "power with a variable exponent",
        "x**y",
        {"x": "positive 5", "y": "positive 5"},
        "",
        {
            "x": ["g*y*x**(y - 1)", "g*y*x**y/x", "g*y*exp((y - 1)*log(x))"],
            "y": ["g*x**y*log(x)", "g*exp(y*log(x))*log(x)"],
        },
        {
            "x": [
                ("missing factor", "g*x**(y - 1)"),
                ("extra factor", "g*y*x**y"),
                ("wrong variable", "g*x**y*log(x)"),
            ],
            "y": [
                ("missing factor", "g*x**y"),
                ("wrong variable", "g*y*x**(y - 1)"),
                ("swapped arguments", "g*y**x*log(y)"),
            ],
        },
    ),
    problem(
        "square root",
        "sqrt(x)",
        {"x": "positive 6"},
        "",
        {"x": ["g/(2*sqrt(x))", "0.5*g*x**-0.5", "g*sqrt(x)/(2*x)"]},
        {
            "x": [
                ("factor", "g/sqrt(x)"),
                ("extra factor|missing factor", "g*sqrt(x)/2"),
                ("missing factor|extra factor|wrong variable", "g/(2*x)"),
            ]
        },
    ),
    problem(
        "arctangent of a ratio",
        "arctan2(y, x)",
        {"y": "5", "x": "5"},
        "q = x**2 + y**2",
        {"y": ["g*x/q", "g/(x + y*y/x)"], "x": ["-g*y/q", "-g/(y + x*x/y)"]},
        {
            "y": [("wrong variable|swapped arguments", "g*y/q"), ("missing factor|wrong variable", "g*x")],
            "x": [("wrong variable|swapped arguments|sign", "g*x/q"), ("missing factor", "-g/q")],
        },
    ),
    # ---- products --------------------------------------------------------------------------------------------
    problem(
        "matrix product",
        "A@B",
        {"A": "4 3", "B": "3 5"},
        "",
        {
            "A": ["g@B.T", "(B@g.T).T", "einsum('ik,jk->ij', g, B)", "array([B@row for row in g])", "inner(g, B)"],
            "B": ["A.T@g", "(g.T@A).T", "einsum('ij,ik->jk', A, g)", "sum([outer(a, u) for a, u in zip(A, g)], 0)"],
        },
        {"A": [("transposed", "B@g.T"), ("factor", "g@B.T/4")], "B": [("transposed", "g.T@A"), ("factor", "A.T@g/4")]},
    ),
    problem(
        "square matrix product",
        "A@B",
        {"A": "4 4", "B": "4 4"},
        "",
        {
            "A": ["g@B.T", "(B@g.T).T", "einsum('ik,jk->ij', g, B)"],
            "B": ["A.T@g", "(g.T@A).T", "einsum('ij,ik->jk', A, g)"],
        },
        {
            "A": [
                ("transposed", "g@B"),
                ("transposed", "B@g.T"),
                ("swapped arguments", "B.T@g"),
                ("wrong variable", "A.T@g"),
                ("unknown", "g*B.T"),
            ],
            "B": [
                ("transposed", "A@g"),
                ("swapped arguments", "g@A.T"),
                ("transposed", "g.T@A"),
                ("wrong variable", "g@B.T"),
            ],
        },
    ),
    problem(
        "linear layer",
        "X@W + b",
        {"X": "6 3", "W": "3 4", "b": "4"},
        "m = len(X)",
        {
            "X": ["g@W.T", "(W@g.T).T", "einsum('ij,kj->ik', g, W)"],
            "W": ["X.T@g", "einsum('ij,ik->jk', X, g)", "tensordot(X, g, (0, 0))"],
            "b": ["sum(g, 0)", "ones(m)@g", "einsum('ij->j', g)", "m*mean(g, 0)", "g.T@ones(m)"],
        },
        {
            "X": [("transposed", "W@g.T"), ("factor", "g@W.T/m")],
            "W": [("transposed", "g.T@X"), ("factor", "X.T@g/m")],
            "b": [
                ("missing sum", "g"),
                ("mean for sum", "mean(g, 0)"),
                ("wrong axis", "sum(g, 1)"),
                ("missing sum", "g[0]"),
                ("shape|missing sum", "sum(g, 0, keepdims=True)"),
            ],
        },
    ),
    problem(
        "square linear layer",
        "X@W + b",
        {"X": "4 4", "W": "4 4", "b": "4"},
        "m = len(X)",
        {
            "X": ["g@W.T", "einsum('ij,kj->ik', g, W)"],
            "W": ["X.T@g", "einsum('ij,ik->jk', X, g)"],
            "b": ["sum(g, 0)", "ones(4)@g", "sum(g.T, 1)"],
        },
        {
            "X": [("transposed", "g@W"), ("swapped arguments", "W.T@g")],
            "W": [("transposed", "X@g"), ("swapped arguments", "g@X.T"), ("transposed", "g.T@X")],
            "b": [
                ("wrong axis", "sum(g, 1)"),
                ("mean for sum", "mean(g, 0)"),
                ("missing sum", "g[-1]"),
                ("wrong axis", "mean(g, 1)*m"),
            ],
        },
    ),
    problem(
        "linear layer, weights by rows",
        "X@W.T",
        {"X": "6 3", "W": "4 3"},
        "",
        {
            "X": ["g@W", "einsum('ij,jk->ik', g, W)", "(W.T@g.T).T"],
            "W": ["g.T@X", "(X.T@g).T", "einsum('ij,ik->jk', g, X)", "sum(g[:, :, None]*X[:, None, :], 0)"],
        },
        {"X": [("transposed", "(g@W).T")], "W": [("transposed", "X.T@g"), ("factor", "g.T@X/6")]},
    ),
    problem(
        "matrix times vector",
        "A@x",
        {"A": "4 4", "x": "4"},
        "",
        {
            "A": ["outer(g, x)", "g[:, None]*x", "einsum('i,j->ij', g, x)"],
            "x": ["A.T@g", "g@A", "sum(A*g[:, None], 0)"],
        },
        {
            "A": [("transposed", "outer(x, g)"), ("diagonal only", "diag(g*x)")],
            "x": [
                ("transposed|swapped arguments", "A@g"),
                ("diagonal only", "diag(A)*g"),
                ("unknown", "A.T@ones(4)*g"),
            ],
        },
    ),
    problem(
        "outer product",
        "outer(x, y)",
        {"x": "4", "y": "3"},
        "",
        {"x": ["g@y", "sum(g*y, 1)", "einsum('ij,j->i', g, y)"], "y": ["x@g", "g.T@x", "sum(g*x[:, None], 0)"]},
        {
            "x": [("missing sum|shape", "g*y"), ("missing factor", "sum(g, 1)")],
            "y": [("missing factor", "sum(g, 0)"), ("mean for sum|factor", "g.T@x/4")],
        },
    ),
    # ---- broadcasting, reductions, shapes --------------------------------------------------------------------
    problem(
        "add a bias",
        "X + b",
        {"X": "5 3", "b": "3"},
        "m = len(X)",
        {"X": ["g", "1*g", "g + 0*X"], "b": ["sum(g, 0)", "ones(m)@g", "m*mean(g, axis=0)", "einsum('ij->j', g)"]},
        {
            "b": [
                ("missing sum", "g"),
                ("mean for sum", "mean(g, 0)"),
                ("missing sum", "g[0]"),
                ("wrong axis", "sum(g, 1)"),
            ]
        },
    ),
    problem(
        "add a square bias",
        "X + b",
        {"X": "4 4", "b": "4"},
        "",
        {"b": ["sum(g, 0)", "ones(4)@g", "einsum('ij->j', g)"]},
        {"b": [("wrong axis", "sum(g, 1)"), ("missing sum", "g[-1]"), ("mean for sum", "mean(g, 0)")]},
    ),
    problem(
        "scale columns",
        "X*s",
        {"X": "5 3", "s": "3"},
        "m = len(X)",
        {"X": ["g*s", "g@diag(s)"], "s": ["sum(g*X, 0)", "einsum('ij,ij->j', g, X)", "diag(g.T@X)", "m*mean(g*X, 0)"]},
        {
            "X": [("missing factor", "g"), ("missing factor|extra factor", "g/s")],
            "s": [
                ("missing sum", "g*X"),
                ("mean for sum", "mean(g*X, 0)"),
                ("missing factor", "sum(g, 0)"),
                ("wrong axis", "sum(g*X, 1)"),
                ("unknown", "sum(g, 0)*sum(X, 0)"),
                ("missing sum", "(g*X)[0]"),
            ],
        },
    ),
    problem(
        "scale by a number",
        "a*X",
        {"a": "", "X": "4 3"},
        "",
        {"a": ["sum(g*X)", "vdot(g, X)", "trace(g.T@X)"], "X": ["a*g", "g*a"]},
        {
            "a": [("missing sum", "g*X"), ("mean for sum", "mean(g*X)"), ("missing factor", "sum(g)")],
            "X": [("missing factor", "g")],
        },
    ),
    problem(
        "sum over columns",
        "sum(X, axis=1)",
        {"X": "4 4"},
        "",
        {
            "X": [
                "g[:, None]*ones((4, 4))",
                "repeat(g[:, None], 4, 1)",
                "outer(g, ones(4))",
                "broadcast_to(g[:, None], (4, 4))",
            ]
        },
        {
            "X": [
                ("wrong axis|transposed", "ones((4, 1))*g"),
                ("factor|mean for sum", "outer(g, ones(4))/4"),
                ("diagonal only", "diag(g)"),
                ("shape", "g[:, None]"),
            ]
        },
    ),
    problem(
        "mean over rows",
        "mean(X, axis=0)",
        {"X": "5 3"},
        "m = len(X)",
        {"X": ["ones((m, 1))*g/m", "tile(g/m, (m, 1))", "outer(ones(m), g)/m", "broadcast_to(g/m, X.shape)"]},
        {"X": [("factor", "ones((m, 1))*g"), ("factor", "ones((m, 1))*g/3"), ("factor", "ones((m, 1))*g/m**2")]},
    ),
    problem(
        "maximum over columns",
        "max(X, axis=1)",
        {"X": "5 4"},
        "top = 1.0*(X == max(X, 1, keepdims=True))",
        {"X": ["g[:, None]*top", "where(top > 0, g[:, None], 0)", "g[:, None]*eye(4)[argmax(X, 1)]"]},
        {
            "X": [
                ("missing factor", "g[:, None] + 0*X"),
                ("extra factor", "g[:, None]*top*X"),
                ("factor", "g[:, None]*top/4"),
            ]
        },
    ),
    problem(
        "transpose",
        "X.T",
        {"X": "4 4"},
        "",
        {"X": ["g.T", "swapaxes(g, 0, 1)", "einsum('ij->ji', g)", "stack(list(g), 1)"]},
        {"X": [("transposed", "g"), ("permuted", "g.T[::-1]"), ("permuted", "g.T[:, ::-1]")]},
    ),
    problem(
        "transpose and reshape",
        "reshape(X.T, (6, 2))",
        {"X": "4 3"},
        "",
        {"X": ["reshape(g, (3, 4)).T", "reshape(g.ravel(), (4, 3), order='F')", "stack(list(reshape(g, (3, 4))), 1)"]},
        {"X": [("permuted", "reshape(g, (4, 3))"), ("transposed", "reshape(g, (3, 4))")]},
    ),
    problem(
        "permute three axes",
        "transpose(X, (1, 2, 0))",
        {"X": "3 3 3"},
        "",
        {"X": ["transpose(g, (2, 0, 1))", "moveaxis(g, -1, 0)", "einsum('jki->ijk', g)"]},
        {
            "X": [
                ("permuted", "transpose(g, (1, 2, 0))"),
                ("permuted|transposed", "transpose(g, (2, 1, 0))"),
                ("permuted", "g"),
            ]
        },
    ),
    problem(
        "concatenate",
        "concatenate([x, y])",
        {"x": "4", "y": "4"},
        "",
        {"x": ["g[:4]", "split(g, 2)[0]", "take(g, range(4))"], "y": ["g[4:]", "g[-4:]", "split(g, 2)[1]"]},
        {
            "x": [("wrong variable", "g[4:]"), ("permuted", "g[3::-1]"), ("shape", "g")],
            "y": [("wrong variable", "g[:4]")],
        },
    ),
    problem(
        "embedding",
        "E[ids]",
        {"E": "4 3", "ids": "ids 7 4"},
        "H = 1.0*(ids[:, None] == arange(4))",
        {"E": ["H.T@g", "einsum('ik,ij->kj', H, g)", "array([sum(g[ids == k], 0) for k in range(4)])"]},
        {"E": [("mean for sum|factor|unknown", "H.T@g/maximum(sum(H, 0), 1)[:, None]"), ("factor", "H.T@g/7")]},
    ),
    problem(
        "sort",
        "sort(x)",
        {"x": "6"},
        "",
        {"x": ["g[argsort(argsort(x))]", "eye(6)[argsort(x)].T@g", "take(g, argsort(argsort(x)))"]},
        {"x": [("permuted", "g"), ("permuted", "sort(g)"), ("permuted", "g[argsort(-x)]")]},
    ),
    # ---- normalisation, softmax, attention -------------------------------------------------------------------
    problem(
        "softmax",
        "e = exp(x); e/sum(e, axis=1, keepdims=True)",
        {"x": "5 4"},
        SOFTMAX,
        {
            "x": [
                "p*(g - sum(g*p, 1, keepdims=True))",
                "p*g - p*sum(p*g, 1, keepdims=True)",
                "stack([(diag(q) - outer(q, q))@u for q, u in zip(p, g)])",
                "einsum('ij,ijk->ik', g, p[:, :, None]*(eye(4) - p[:, None, :]))",
            ]
        },
        {
            "x": [
                ("diagonal only", "g*p*(1 - p)"),
                ("missing factor", "g*p"),
                ("wrong axis", "p*(g - sum(g*p, 0))"),
                ("missing factor", "g - sum(g*p, 1, keepdims=True)"),
                ("sign", "p*(g + sum(g*p, 1, keepdims=True))"),
                ("mean for sum", "p*(g - mean(g*p, 1, keepdims=True))"),
                ("missing factor", "p*(g - sum(g, 1, keepdims=True))"),
            ]
        },
    ),
    problem(
        "log-softmax",
        "x - log(sum(exp(x), axis=1, keepdims=True))",
        {"x": "5 4"},
        SOFTMAX,
        {
            "x": [
                "g - p*sum(g, 1, keepdims=True)",
                "stack([(eye(4) - outer(q, ones(4)))@u for q, u in zip(p, g)])",
                "g - exp(log(p))*(g@ones((4, 1)))",
            ]
        },
        {
            "x": [
                ("missing factor", "g"),
                ("diagonal only", "g*(1 - p)"),
                ("missing factor", "-p*sum(g, 1, keepdims=True)"),
                ("sign", "g + p*sum(g, 1, keepdims=True)"),
                ("mean for sum", "g - p*mean(g, 1, keepdims=True)"),
            ]
        },
    ),
    problem(
        "batch norm",
        "c = x - mean(x, axis=0); n = c/sqrt(mean(c**2, axis=0) + 1e-3); n*gamma + beta",
        {"x": "6 3", "gamma": "3", "beta": "3"},
        BATCH_NORM,
        {
            "x": [
                "gamma*s*(g - mean(g, 0) - n*mean(g*n, 0))",
                "gamma*s/m*(m*g - sum(g, 0) - n*sum(g*n, 0))",
                "(g*gamma - mean(g*gamma, 0) - c*s**2*mean(g*gamma*c, 0))*s",
            ],
            "gamma": ["sum(g*n, 0)", "einsum('ij,ij->j', g, n)", "m*mean(g*c, 0)*s"],
            "beta": ["sum(g, 0)", "ones(m)@g", "m*mean(g, 0)"],
        },
        {
            "x": [
                ("missing factor", "gamma*s*g"),
                ("missing factor", "s*(g - mean(g, 0) - n*mean(g*n, 0))"),
                ("missing factor", "gamma*s*(g - mean(g, 0))"),
                ("missing factor", "gamma*s*(g - n*mean(g*n, 0))"),
                ("factor", "gamma*s*(g - mean(g, 0) - 2*n*mean(g*n, 0))"),
                ("missing factor|extra factor", "gamma*(g - mean(g, 0) - n*mean(g*n, 0))"),
            ],
            "gamma": [
                ("missing sum", "g*n"),
                ("missing factor|extra factor", "sum(g*c, 0)"),
                ("mean for sum", "mean(g*n, 0)"),
                ("extra factor", "sum(g*n*gamma, 0)"),
            ],
            "beta": [("missing sum", "g"), ("mean for sum", "mean(g, 0)"), ("extra factor", "sum(g*gamma, 0)")],
        },
    ),
    problem(
        "layer norm",
        "c = x - mean(x, axis=1, keepdims=True); c/sqrt(mean(c**2, axis=1, keepdims=True) + 1e-3)",
        {"x": "4 5"},
        LAYER_NORM,
        {
            "x": [
                "s*(g - mean(g, 1, keepdims=True) - n*mean(g*n, 1, keepdims=True))",
                "s*(g - g@ones((5, 5))/5 - n*sum(g*n, 1, keepdims=True)/5)",
                "stack([u*((eye(5) - 1/5 - outer(v, v)/5)@w) for u, v, w in zip(s, n, g)])",
            ]
        },
        {
            "x": [
                ("missing factor", "s*g"),
                ("missing factor", "s*(g - n*mean(g*n, 1, keepdims=True))"),
                ("missing factor", "s*(g - mean(g, 1, keepdims=True))"),
                ("wrong axis", "s*(g - mean(g, 0) - n*mean(g*n, 0))"),
                ("missing factor|extra factor", "g - mean(g, 1, keepdims=True) - n*mean(g*n, 1, keepdims=True)"),
            ]
        },
    ),
    problem(
        "normalise rows",
        "x/sqrt(sum(x**2, axis=1, keepdims=True))",
        {"x": "4 3"},
        "n = sqrt(sum(x**2, 1, keepdims=True)); u = x/n",
        {
            "x": [
                "(g - u*sum(g*u, 1, keepdims=True))/n",
                "g/n - x*sum(g*x, 1, keepdims=True)/n**3",
                "stack([(eye(3) - outer(v, v))@w for v, w in zip(u, g)])/n",
            ]
        },
        {
            "x": [
                ("missing factor", "g/n"),
                ("sign", "(g + u*sum(g*u, 1, keepdims=True))/n"),
                ("missing factor|extra factor", "g - u*sum(g*u, 1, keepdims=True)"),
                ("diagonal only", "g*(1 - u**2)/n"),
            ]
        },
    ),
    problem(
        "attention",
        "softmax(Q@K.T/2)@V",
        {"Q": "5 4", "K": "6 4", "V": "6 3"},
        ATTENTION,
        {
            "Q": ["S@K/2", "einsum('ij,jk->ik', S, K)/2", "(K.T@S.T).T/2"],
            "K": ["S.T@Q/2", "einsum('ij,ik->jk', S, Q)/2", "(Q.T@S).T/2"],
            "V": ["A.T@g", "einsum('ij,ik->jk', A, g)", "(g.T@A).T"],
        },
        {
            "Q": [
                ("factor", "S@K"),
                ("missing factor", "D@K/2"),
                ("diagonal only", "(A*(1 - A)*D)@K/2"),
                ("missing factor|wrong variable", "(A*D)@K/2"),
                ("missing factor", "(D - sum(D*A, 1, keepdims=True))@K/2"),
            ],
            "K": [("factor", "S.T@Q"), ("missing factor|wrong variable", "(A*D).T@Q/2"), ("transposed", "Q.T@S/2")],
            "V": [("wrong variable", "(Q@K.T/2).T@g"), ("transposed", "g.T@A")],
        },
    ),
    problem(
        "square attention",
        "softmax(Q@K.T/2)@V",
        {"Q": "4 4", "K": "4 4", "V": "4 4"},
        ATTENTION,
        {"Q": ["S@K/2", "einsum('ij,jk->ik', S, K)/2"], "K": ["S.T@Q/2", "(Q.T@S).T/2"], "V": ["A.T@g", "(g.T@A).T"]},
        {
            "Q": [("transposed", "S@K.T/2"), ("wrong variable", "S.T@Q/2"), ("transposed", "S.T@K/2")],
            "K": [("transposed", "S@Q/2"), ("swapped arguments|wrong variable", "S@K/2")],
            "V": [("transposed", "A@g"), ("swapped arguments", "g@A.T"), ("transposed", "g.T@A")],
        },
    ),
    # ---- convolution and recurrence --------------------------------------------------------------------------
    problem(
        "convolution",
        "stack([sum(x[i:i + 3]*w) for i in range(6)])",
        {"x": "8", "w": "3"},
        "P = array([x[i:i + 3] for i in range(6)])",
        {
            "x": [
                "convolve(g, w)",
                "sum([concatenate([zeros(i), g[i]*w, zeros(5 - i)]) for i in range(6)], 0)",
                "convolve(w, g, 'full')",
            ],
            "w": ["P.T@g", "g@P", "correlate(x, g, 'valid')", "array([g@x[k:k + 6] for k in range(3)])"],
        },
        {
            "x": [
                ("permuted|transposed|unknown", "correlate(g, w, 'full')"),
                ("permuted", "convolve(g, w)[::-1]"),
                ("shape", "convolve(g, w, 'valid')"),
            ],
            "w": [
                ("permuted", "convolve(x, g, 'valid')"),
                ("permuted", "(P.T@g)[::-1]"),
                ("mean for sum|factor", "P.T@g/6"),
                ("missing factor", "sum(g)*ones(3)"),
            ],
        },
    ),
    problem(
        "convolution of channels",
        "X[0:5]@W[0] + X[1:6]@W[1] + X[2:7]@W[2]",
        {"X": "7 2", "W": "3 2 4"},
        "",
        {
            "X": ["sum([concatenate([zeros((k, 2)), g@W[k].T, zeros((2 - k, 2))]) for k in range(3)], 0)"],
            "W": [
                "stack([X[k:k + 5].T@g for k in range(3)])",
                "einsum('kij,il->kjl', array([X[k:k + 5] for k in range(3)]), g)",
            ],
        },
        {
            "W": [
                ("permuted", "stack([X[2 - k:7 - k].T@g for k in range(3)])"),
                ("factor", "stack([X[k:k + 5].T@g for k in range(3)])/5"),
            ],
            "X": [
                ("missing factor", "concatenate([g@W[0].T, zeros((2, 2))])"),
                (
                    "permuted|unknown",
                    "sum([concatenate([zeros((k, 2)), g@W[2 - k].T, zeros((2 - k, 2))]) for k in range(3)], 0)",
                ),
            ],
        },
    ),
    problem(
        "recurrent cell",
        "tanh(x@W + h@U + b)",
        {"x": "5 3", "h": "5 4", "W": "3 4", "U": "4 4", "b": "4"},
        "z = x@W + h@U + b; n = tanh(z); d = g*(1 - n**2)",
        {
            "x": ["d@W.T", "einsum('ij,kj->ik', d, W)"],
            "h": ["d@U.T", "(U@d.T).T", "einsum('ij,kj->ik', g/cosh(z)**2, U)"],
            "W": ["x.T@d", "einsum('ij,ik->jk', x, d)"],
            "U": ["h.T@d", "(d.T@h).T", "h.T@(g/cosh(z)**2)"],
            "b": ["sum(d, 0)", "ones(5)@d", "5*mean(d, 0)"],
        },
        {
            "h": [("missing factor", "g@U.T"), ("transposed", "d@U"), ("wrong variable", "(g*(1 - z**2))@U.T")],
            "U": [
                ("missing factor", "h.T@g"),
                ("transposed", "d.T@h"),
                ("wrong variable|missing factor", "n.T@d"),
                ("wrong variable", "h.T@(g*(1 - h**2))"),
            ],
            "W": [("missing factor", "x.T@g"), ("wrong variable", "x.T@(g*(1 - z**2))")],
            "b": [
                ("missing sum", "d"),
                ("mean for sum", "mean(d, 0)"),
                ("missing factor", "sum(g, 0)"),
                ("missing sum", "d[0]"),
            ],
        },
    ),
    problem(
        "cumulative sum",
        "cumsum(x)",
        {"x": "6"},
        "",
        {"x": ["cumsum(g[::-1])[::-1]", "sum(g) - cumsum(g) + g", "tril(ones((6, 6))).T@g"]},
        {
            "x": [
                ("permuted|transposed", "cumsum(g)"),
                ("missing factor|diagonal only", "g"),
                ("permuted|unknown", "cumsum(g[::-1])"),
            ]
        },
    ),
]
