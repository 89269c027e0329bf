"""Losses: functions with one number as their result, right gradients in several forms, and wrong ones with their cause.

Read a row as ``problem(name, function, inputs, definitions, {input: right forms}, {input: [(cause, wrong form)]})``;
see ``problem`` for the notation. Every wrong form is a mistake that people make, and wrong wherever it is tried.
"""

from microgd.check.mutants.problem import problem

LINE = {"w": "", "b": "", "x": "8", "y": "8"}
LINEAR = {"w": "3", "X": "7 3", "y": "7"}

LOSSES = [
    # ---- school: powers, products, quotients, chains ---------------------------------------------------------
    problem(
        "power",
        "sum(x**3)",
        {"x": "5"},
        "",
        {"x": ["3*x**2", "3*x*x", "x*x + 2*square(x)", "array([3*v**2 for v in x])", "3*exp(2*log(abs(x)))"]},
        {
            "x": [
                ("factor", "x**2"),
                ("factor", "2*x**2"),
                ("extra factor", "3*x**3"),
                ("wrong variable", "x**3"),
                ("missing factor|extra factor", "3*x"),
                ("missing sum|shape", "sum(3*x**2)"),
            ]
        },
    ),
    problem(
        "power of a number",
        "x**4",
        {"x": ""},
        "",
        {"x": ["4*x**3", "4*x*x*x", "4*x**4/x", "2*x*(2*x**2)"]},
        {"x": [("factor", "x**3"), ("factor", "3*x**3"), ("extra factor", "4*x**4"), ("wrong variable", "x**4")]},
    ),
    problem(
        "polynomial",
        "sum(1.5*x**2 + 4*x)",
        {"x": "4"},
        "",
        {"x": ["3*x + 4", "1.5*2*x + 4", "polyval([3, 4], x)", "3*(x + 4/3)"]},
        {
            "x": [
                ("missing factor", "3*x"),
                ("factor", "1.5*x + 4"),
                ("extra factor", "3*x + 4*x"),
                ("sign", "3*x - 4"),
                ("missing factor", "4 + 0*x"),
            ]
        },
    ),
    problem(
        "product rule",
        "sum(x*sin(x))",
        {"x": "5"},
        "",
        {"x": ["sin(x) + x*cos(x)", "sin(x)*(1 + x/tan(x))", "imag((x + 1e-30j)*sin(x + 1e-30j))/1e-30"]},
        {
            "x": [
                ("missing factor", "x*cos(x)"),
                ("missing factor", "sin(x)"),
                ("missing factor", "cos(x)"),
                ("sign", "sin(x) - x*cos(x)"),
                ("wrong variable", "x*sin(x)"),
            ]
        },
    ),
    problem(
        "quotient rule",
        "sum(sin(x)/x)",
        {"x": "positive 5"},
        "s, c = sin(x), cos(x)",
        {"x": ["(c*x - s)/x**2", "c/x - s/x**2", "(c - s/x)/x", "c/x - s*x**-2.0"]},
        {
            "x": [
                ("sign", "(c*x + s)/x**2"),
                ("sign", "(s - c*x)/x**2"),
                ("extra factor", "(c*x - s)/x"),
                ("missing factor", "c"),
                ("missing factor", "c/x"),
                ("extra factor|missing factor", "c/x - s/x"),
            ]
        },
    ),
    problem(
        "ratio",
        "sum(x/y)",
        {"x": "5", "y": "positive 5"},
        "",
        {"x": ["1/y", "y**-1.0", "exp(-log(y))"], "y": ["-x/y**2", "-(x/y)/y", "-x*y**-2.0", "-x/(y*y)"]},
        {
            "x": [
                ("wrong variable|swapped arguments", "1/x"),
                ("wrong variable", "-x/y**2"),
                ("missing factor|extra factor", "1/y**2"),
            ],
            "y": [
                ("missing factor|extra factor", "-x/y"),
                ("swapped arguments", "-y/x**2"),
                ("wrong variable", "1/y"),
                ("missing factor", "-1/y**2"),
            ],
        },
    ),
    problem(
        "chain rule",
        "sum(sin(x**2))",
        {"x": "5"},
        "",
        {"x": ["2*x*cos(x**2)", "2*x*sin(x**2 + pi/2)", "2*x*(1 - 2*sin(x**2/2)**2)", "x*cos(x*x) + cos(x*x)*x"]},
        {
            "x": [
                ("missing factor", "cos(x**2)"),
                ("missing factor", "2*x"),
                ("wrong variable", "cos(2*x)"),
                ("wrong variable", "2*x*cos(x)"),
                ("factor", "x*cos(x**2)"),
                ("wrong variable", "2*x*sin(x**2)"),
            ]
        },
    ),
    problem(
        "exponential",
        "sum(exp(2*x))",
        {"x": "5"},
        "",
        {"x": ["2*exp(2*x)", "2*exp(x)**2", "2*exp(x)*exp(x)", "2/exp(-2*x)"]},
        {
            "x": [
                ("factor", "exp(2*x)"),
                ("extra factor", "2*x*exp(2*x)"),
                ("extra factor", "2*x*exp(2*x - 1)"),
                ("missing factor", "2 + 0*x"),
            ]
        },
    ),
    problem(
        "logarithm",
        "sum(log(x))",
        {"x": "positive 5"},
        "",
        {"x": ["1/x", "x**-1.0", "reciprocal(x)", "exp(-log(x))"]},
        {
            "x": [
                ("wrong variable", "log(x)"),
                ("extra factor|missing factor|wrong variable", "x"),
                ("factor", "1/(x*log(10))"),
            ]
        },
    ),
    problem(
        "logarithm of base 10",
        "sum(log10(x))",
        {"x": "positive 5"},
        "",
        {"x": ["1/(x*log(10))", "log10(e)/x", "1/(x*2.302585092994045684)"]},
        {"x": [("factor", "1/x"), ("factor", "log(10)/x")]},
    ),
    problem(
        "power of two",
        "sum(2.0**x)",
        {"x": "5"},
        "",
        {"x": ["2.0**x*log(2)", "exp(x*log(2))*log(2)", "exp2(x)*log(2)"]},
        {"x": [("factor", "2.0**x"), ("wrong variable", "x*2.0**(x - 1)")]},
    ),
    problem(
        "tangent",
        "sum(tan(x))",
        {"x": "unit 5"},
        "",
        {"x": ["1 + tan(x)**2", "1/cos(x)**2", "2/(1 + cos(2*x))", "1 + (sin(x)/cos(x))**2"]},
        {"x": [("wrong variable", "tan(x)"), ("wrong variable", "1 + x**2"), ("wrong variable", "1 - tan(x)**2")]},
    ),
    problem(
        "cosine",
        "sum(x*cos(3*x))",
        {"x": "5"},
        "",
        {"x": ["cos(3*x) - 3*x*sin(3*x)", "cos(3*x) + 3*x*cos(3*x + pi/2)", "-(3*x*sin(3*x) - cos(3*x))"]},
        {
            "x": [
                ("sign", "cos(3*x) + 3*x*sin(3*x)"),
                ("factor", "cos(3*x) - x*sin(3*x)"),
                ("missing factor", "-3*x*sin(3*x)"),
                ("missing factor", "cos(3*x)"),
            ]
        },
    ),
    # ---- mean squared error in each reduction, a line, a plane -----------------------------------------------
    *(
        problem(
            f"mean squared error, {name}",
            f"{c}sum((X@w - y)**2)" if "/" not in c else f"sum((X@w - y)**2){c}",
            LINEAR,
            f"r = X@w - y; m = len(y); c = {value}",
            {
                "w": [
                    "c*X.T@r",
                    "c*(X.T@X@w - X.T@y)",
                    "c*einsum('ij,i->j', X, r)",
                    "c*sum(r[:, None]*X, 0)",
                    "sum([c*(row@w - t)*row for row, t in zip(X, y)], 0)",
                    "c*(r@X)",
                ]
            },
            {
                "w": [
                    *wrong,
                    ("sign", "c*X.T@(y - X@w)"),
                    ("missing sum", "c*r[:, None]*X"),
                    ("wrong variable", "sum(X, 0)"),
                    ("missing factor", "c*X.T@(X@w)"),
                ]
            },
        )
        for name, c, value, wrong in [
            ("sum", "", "2", [("factor", "X.T@r"), ("mean for sum", "2*X.T@r/m")]),
            ("mean", "/len(y)", "2/m", [("factor", "X.T@r/m"), ("factor", "2*X.T@r"), ("factor", "2*X.T@r/m**2")]),
            (
                "half mean",
                "/(2*len(y))",
                "1/m",
                [("factor", "2*X.T@r/m"), ("factor", "X.T@r"), ("factor", "X.T@r/(2*m)")],
            ),
            ("half sum", "0.5*", "1", [("factor", "2*X.T@r"), ("mean for sum", "X.T@r/m")]),
        ]
    ),
    problem(
        "line",
        "mean((w*x + b - y)**2)",
        LINE,
        "r = w*x + b - y; m = len(y)",
        {
            "w": ["2*mean(r*x)", "2*(r@x)/m", "2*(w*mean(x**2) + b*mean(x) - mean(x*y))", "sum(2/m*r*x)"],
            "b": ["2*mean(r)", "2*sum(r)/m", "2*(w*mean(x) + b - mean(y))", "2*dot(r, ones(m))/m"],
        },
        {
            "w": [
                ("factor", "mean(r*x)"),
                ("factor", "2*sum(r*x)"),
                ("wrong variable|missing factor", "2*mean(r)"),
                ("sign", "2*mean((y - w*x - b)*x)"),
                ("missing sum|shape", "2*r*x/m"),
                ("missing factor", "2*mean((w*x - y)*x)"),
                ("wrong variable", "mean(x)"),
            ],
            "b": [
                ("factor", "mean(r)"),
                ("missing sum|shape", "2*r/m"),
                ("wrong variable|extra factor", "2*mean(r*x)"),
                ("sign", "2*mean(y - w*x - b)"),
                ("factor", "2*sum(r)"),
                ("dtype", "int(2*mean(r)*0 + trunc(2*mean(r)))"),
            ],
        },
    ),
    problem(
        "line, half mean",
        "sum((w*x + b - y)**2)/(2*len(y))",
        LINE,
        "r = w*x + b - y; m = len(y)",
        {
            "w": ["mean(r*x)", "(r@x)/m", "sum([(w*u + b - v)*u for u, v in zip(x, y)])/m"],
            "b": ["mean(r)", "sum(r)/m", "w*mean(x) + b - mean(y)"],
        },
        {"w": [("factor", "sum(r*x)/(2*m)"), ("factor", "2*mean(r*x)")], "b": [("factor", "sum(r)/(2*m)")]},
    ),
    problem(
        "ridge",
        "sum((X@w - y)**2)/len(y) + 0.3*sum(w**2)",
        LINEAR,
        "r = X@w - y; m = len(y)",
        {
            "w": [
                "2*X.T@r/m + 0.6*w",
                "2*((X.T@X/m + 0.3*eye(3))@w - X.T@y/m)",
                "2*(X.T@r + 0.3*m*w)/m",
                "2*(r@X)/m + 2*0.3*w",
            ]
        },
        {
            "w": [
                ("missing factor", "2*X.T@r/m"),
                ("factor", "2*X.T@r/m + 0.3*w"),
                ("sign", "2*X.T@r/m - 0.6*w"),
                ("factor", "2*X.T@r + 0.6*w"),
                ("factor", "X.T@r/m + 0.6*w"),
            ]
        },
    ),
    # ---- neurons and networks --------------------------------------------------------------------------------
    problem(
        "sigmoid neuron",
        "z = w*x + b; a = sigmoid(z); (a - y)**2",
        {"w": "", "b": "", "x": "", "y": ""},
        "z = w*x + b; a = sigmoid(z); d = 2*(a - y)",
        {
            "w": ["d*a*(1 - a)*x", "d*(a - a**2)*x", "d*x*exp(-z)/(1 + exp(-z))**2", "d*x/(2 + exp(z) + exp(-z))"],
            "b": ["d*a*(1 - a)", "d/(4*cosh(z/2)**2)", "d*a/(1 + exp(z))", "d*(0.25 - (a - 0.5)**2)"],
        },
        {
            "w": [
                ("missing factor", "d*x"),
                ("missing factor|wrong variable", "d*a*(1 - a)"),
                ("factor", "(a - y)*a*(1 - a)*x"),
                ("wrong variable", "a*(1 - a)*x"),
                ("wrong variable", "d*z*(1 - z)*x"),
                ("missing factor", "d*a*x"),
                ("sign", "2*(y - a)*a*(1 - a)*x"),
                ("extra factor", "d*(a*(1 - a))**2*x"),
            ],
            "b": [
                ("missing factor", "d"),
                ("wrong variable", "a*(1 - a)"),
                ("extra factor|wrong variable", "d*a*(1 - a)*x"),
                ("missing factor", "d*(1 - a)"),
            ],
        },
    ),
    problem(
        "sigmoid neuron, a batch",
        "a = sigmoid(X@w); mean((a - y)**2)",
        LINEAR,
        "z = X@w; a = sigmoid(z); m = len(y)",
        {
            "w": [
                "2*X.T@((a - y)*a*(1 - a))/m",
                "2/m*einsum('i,ij->j', (a - y)*(a - a*a), X)",
                "mean(2*((a - y)*a*(1 - a))[:, None]*X, axis=0)",
                "2*X.T@((a - y)/(2 + exp(z) + exp(-z)))/m",
            ]
        },
        {
            "w": [
                ("missing factor", "2*X.T@(a - y)/m"),
                ("wrong variable", "X.T@(a*(1 - a))"),
                ("missing factor", "2*X.T@((a - y)*a)/m"),
                ("wrong variable", "2*X.T@((a - y)*z*(1 - z))/m"),
                ("factor", "2*X.T@((a - y)*a*(1 - a))"),
                ("extra factor", "2*X.T@((a - y)*(a*(1 - a))**2)/m"),
            ]
        },
    ),
    problem(
        "logistic regression",
        "p = sigmoid(X@w); -mean(y*log(p) + (1 - y)*log(1 - p))",
        {**LINEAR, "y": "labels 7"},
        "z = X@w; p = sigmoid(z); m = len(y)",
        {
            "w": [
                "X.T@(p - y)/m",
                "(p - y)@X/m",
                "mean((p - y)[:, None]*X, 0)",
                "-X.T@(y*(1 - p) - (1 - y)*p)/m",
                "X.T@((p - y)/(p*(1 - p))*p*(1 - p))/m",
            ]
        },
        {
            "w": [
                ("extra factor", "X.T@((p - y)*p*(1 - p))/m"),
                ("factor", "X.T@(p - y)"),
                ("sign", "X.T@(y - p)/m"),
                ("missing factor", "X.T@p/m"),
                ("missing factor", "X.T@((p - y)/(p*(1 - p)))/m"),
                ("missing sum", "(p - y)[:, None]*X/m"),
                ("wrong variable", "X.T@(p*(1 - p))"),
            ]
        },
    ),
    problem(
        "log loss of a probability",
        "-mean(y*log(p) + (1 - y)*log(1 - p))",
        {"p": "unit 6", "y": "labels 6"},
        "m = len(y)",
        {
            "p": [
                "(p - y)/(p*(1 - p))/m",
                "((1 - y)/(1 - p) - y/p)/m",
                "-(y/p - (1 - y)/(1 - p))/m",
                "where(y == 1, -1/p, 1/(1 - p))/m",
            ]
        },
        {
            "p": [
                ("sign", "-(y/p + (1 - y)/(1 - p))/m"),
                ("missing factor|extra factor", "(p - y)/m"),
                ("missing factor", "-(y/p)/m"),
                ("factor", "(p - y)/(p*(1 - p))"),
            ]
        },
    ),
    problem(
        "softmax cross-entropy",
        "-sum(Y*log(softmax(z)))/len(z)",
        {"z": "6 4", "Y": "onehot 6 4"},
        "p = exp(z)/sum(exp(z), axis=1, keepdims=True); m = len(z)",
        {
            "z": [
                "(p - Y)/m",
                "(p*sum(Y, 1, keepdims=True) - Y)/m",
                "stack([exp(v)/sum(exp(v)) - t for v, t in zip(z, Y)])/m",
                "(exp(z - max(z, 1, keepdims=True))/sum(exp(z - max(z, 1, keepdims=True)), 1, keepdims=True) - Y)/m",
                "(1/sum(exp(z[:, None, :] - z[:, :, None]), 2) - Y)/m",
            ]
        },
        {
            "z": [
                ("missing factor|wrong variable", "p/m"),
                ("sign", "(Y - p)/m"),
                ("factor", "p - Y"),
                ("diagonal only", "-Y*(1 - p)/m"),
                ("wrong variable|missing factor", "-Y/p/m"),
                ("wrong axis", "(exp(z)/sum(exp(z), axis=0) - Y)/m"),
            ]
        },
    ),
    problem(
        "softmax regression",
        "-sum(Y*log_softmax(X@W))/len(X)",
        {"W": "3 4", "X": "6 3", "Y": "onehot 6 4"},
        "p = softmax(X@W); m = len(X)",
        {
            "W": [
                "X.T@(p - Y)/m",
                "einsum('ij,ik->jk', X, p - Y)/m",
                "sum([outer(x, q - t) for x, q, t in zip(X, p, Y)], 0)/m",
                "((p - Y).T@X).T/m",
            ]
        },
        {
            "W": [
                ("transposed", "(p - Y).T@X/m"),
                ("factor", "X.T@(p - Y)"),
                ("missing factor", "X.T@p/m"),
                ("sign", "X.T@(Y - p)/m"),
            ]
        },
    ),
    problem(
        "tanh layer",
        "a = tanh(W@x + b); sum((a - t)**2)",
        {"W": "4 3", "b": "4", "x": "3", "t": "4"},
        "z = W@x + b; a = tanh(z); d = 2*(a - t)*(1 - a**2)",
        {
            "W": [
                "outer(d, x)",
                "d[:, None]*x",
                "d[:, None]@x[None, :]",
                "einsum('i,j->ij', d, x)",
                "array([u*x for u in d])",
            ],
            "b": ["d", "2*(a - t)*(1 - tanh(z)**2)", "2*(a - t)/cosh(z)**2", "2*(a - t)*(1 + a)*(1 - a)"],
            "x": ["W.T@d", "d@W", "sum(W*d[:, None], 0)", "einsum('ij,i->j', W, d)"],
        },
        {
            "W": [
                ("transposed", "outer(x, d)"),
                ("missing factor", "outer(2*(a - t), x)"),
                ("wrong variable", "outer(2*(a - t)*(1 - z**2), x)"),
                ("wrong variable", "outer(1 - a**2, x)"),
            ],
            "b": [
                ("missing factor", "2*(a - t)"),
                ("wrong variable", "2*(a - t)*(1 - z**2)"),
                ("wrong variable", "1 - a**2"),
                ("factor", "(a - t)*(1 - a**2)"),
            ],
            "x": [
                ("missing factor", "W.T@(2*(a - t))"),
                ("missing sum|shape", "W*d[:, None]"),
                ("wrong variable", "2*W.T@((a - t)*(1 - z**2))"),
            ],
        },
    ),
    problem(
        "two-layer network",
        "H = relu(X@A); sum((H@B - Y)**2)/len(X)",
        {"A": "3 5", "B": "5 2", "X": "6 3", "Y": "6 2"},
        "Z = X@A; H = maximum(Z, 0); D = 2*(H@B - Y)/len(X)",
        {
            "A": [
                "X.T@((D@B.T)*(Z > 0))",
                "X.T@where(Z > 0, D@B.T, 0)",
                "einsum('ia,ik,jk,ij->aj', X, D, B, 1.0*(Z > 0))",
            ],
            "B": ["H.T@D", "(D.T@H).T", "einsum('ij,ik->jk', H, D)", "sum(H[:, :, None]*D[:, None, :], 0)"],
        },
        {
            "A": [
                ("missing factor", "X.T@(D@B.T)"),
                ("sign", "-X.T@((D@B.T)*(Z > 0))"),
                ("factor", "X.T@(0.5*(D@B.T)*(Z > 0))"),
                ("transposed", "(X.T@((D@B.T)*(Z > 0))).T"),
                ("wrong variable", "X.T@((Z > 0)*1.0)"),
            ],
            "B": [
                ("wrong variable", "Z.T@D"),
                ("transposed", "D.T@H"),
                ("factor", "H.T@D*len(X)"),
                ("wrong variable", "sum(H, 0)[:, None]*ones(2)"),
            ],
        },
    ),
    problem(
        "square two-layer network",
        "H = tanh(X@A); sum(H@B*Y)",
        {"A": "4 4", "B": "4 4", "X": "4 4", "Y": "4 4"},
        "H = tanh(X@A); S = 1 - H**2",
        {
            "A": ["X.T@((Y@B.T)*S)", "(((Y@B.T)*S).T@X).T", "einsum('ia,ij->aj', X, (Y@B.T)*S)"],
            "B": ["H.T@Y", "(Y.T@H).T", "einsum('ij,ik->jk', H, Y)"],
        },
        {
            "A": [
                ("transposed", "X.T@((Y@B)*S)"),
                ("transposed", "X@((Y@B.T)*S)"),
                ("swapped arguments", "((Y@B.T)*S)@X.T"),
                ("swapped arguments", "X.T@((B.T@Y)*S)"),
                ("missing factor", "X.T@(Y@B.T)"),
            ],
            "B": [
                ("transposed", "H@Y"),
                ("swapped arguments", "Y@H.T"),
                ("transposed", "Y.T@H"),
                ("wrong variable", "(X@A).T@Y"),
            ],
        },
    ),
    # ---- norms and other losses ------------------------------------------------------------------------------
    problem(
        "L1 norm",
        "sum(abs(x))",
        {"x": "6"},
        "",
        {"x": ["sign(x)", "x/abs(x)", "where(x > 0, 1.0, -1.0)", "2.0*(x > 0) - 1"]},
        {"x": [("missing factor", "ones_like(x)"), ("wrong variable", "abs(x)"), ("extra factor|wrong variable", "x")]},
    ),
    problem(
        "L2 norm",
        "sqrt(sum(x**2))",
        {"x": "5"},
        "n = sqrt(sum(x**2))",
        {"x": ["x/n", "x*(x@x)**-0.5", "x/sqrt(x@x)", "2*x/(2*n)"]},
        {
            "x": [
                ("missing factor|wrong variable", "x"),
                ("missing factor", "0.5/n + 0*x"),
                ("factor", "2*x/n"),
                ("extra factor|missing factor|wrong variable", "x/n**2"),
                ("factor", "x/(2*n)"),
            ]
        },
    ),
    problem(
        "Lp norm",
        "sum(abs(x)**3)**(1/3)",
        {"x": "5"},
        "n = sum(abs(x)**3)**(1/3)",
        {"x": ["sign(x)*(abs(x)/n)**2", "x*abs(x)/n**2", "sign(x)*x**2*sum(abs(x)**3)**(-2/3)"]},
        {
            "x": [
                ("missing factor", "(abs(x)/n)**2"),
                ("factor", "3*x*abs(x)/n**2"),
                ("missing factor", "3*x*abs(x)"),
                ("factor", "x*abs(x)/n**2/3"),
            ]
        },
    ),
    problem(
        "log-sum-exp",
        "log(sum(exp(x)))",
        {"x": "5"},
        "",
        {"x": ["exp(x)/sum(exp(x))", "exp(x - log(sum(exp(x))))", "exp(x - max(x))/sum(exp(x - max(x)))"]},
        {
            "x": [
                ("missing factor|wrong variable", "exp(x)"),
                ("missing factor", "1/sum(exp(x)) + 0*x"),
                ("wrong variable", "x/sum(x)"),
            ]
        },
    ),
    problem(
        "variance",
        "mean((x - mean(x))**2)",
        {"x": "6"},
        "c = x - mean(x); m = len(x)",
        {"x": ["2*c/m", "2*x/m - 2*mean(x)/m", "2/m*(eye(m) - 1/m)@x", "2*(x - sum(x)/m)/m"]},
        {
            "x": [
                ("factor", "2*c"),
                ("factor", "c/m"),
                ("missing factor", "2*x/m"),
                ("diagonal only|factor", "2*c*(1 - 1/m)/m"),
            ]
        },
    ),
    problem(
        "hinge loss",
        "mean(maximum(0, 1 - y*(X@w)))",
        {**LINEAR, "y": "signs 7"},
        "on = 1.0*(y*(X@w) < 1); m = len(y)",
        {
            "w": [
                "-X.T@(on*y)/m",
                "mean(-(on*y)[:, None]*X, 0)",
                "-((on*y)@X)/m",
                "sum(X[on > 0]*-y[on > 0][:, None], 0)/m",
            ]
        },
        {
            "w": [
                ("missing factor", "-X.T@y/m"),
                ("sign", "X.T@(on*y)/m"),
                ("missing factor", "-X.T@on/m"),
                ("factor", "-X.T@(on*y)"),
            ]
        },
    ),
    problem(
        "quadratic form",
        "x@A@x",
        {"x": "4", "A": "4 4"},
        "",
        {
            "x": ["(A + A.T)@x", "A@x + A.T@x", "A@x + x@A", "einsum('ij,j->i', A + A.T, x)"],
            "A": ["outer(x, x)", "x[:, None]*x", "einsum('i,j->ij', x, x)"],
        },
        {
            "x": [
                ("transposed|missing factor", "2*A@x"),
                ("transposed", "2*A.T@x"),
                ("missing factor", "A@x"),
                ("factor", "(A + A.T)@x/2"),
            ],
            "A": [("factor", "2*outer(x, x)"), ("diagonal only", "diag(x*x)")],
        },
    ),
    problem(
        "bilinear form",
        "x@A@y",
        {"x": "4", "A": "4 4", "y": "4"},
        "",
        {
            "x": ["A@y", "y@A.T", "sum(A*y, 1)"],
            "A": ["outer(x, y)", "x[:, None]*y", "x[:, None]@y[None, :]"],
            "y": ["A.T@x", "x@A", "sum(A*x[:, None], 0)"],
        },
        {
            "x": [("transposed", "A.T@y"), ("wrong variable", "A.T@x"), ("swapped arguments|wrong variable", "A@x")],
            "A": [("transposed", "outer(y, x)")],
            "y": [("transposed|swapped arguments", "A@x"), ("wrong variable", "A@y")],
        },
    ),
    problem(
        "cosine similarity",
        "(x@y)/(sqrt(x@x)*sqrt(y@y))",
        {"x": "4", "y": "4"},
        "n, k = sqrt(x@x), sqrt(y@y); s = (x@y)/(n*k)",
        {"x": ["(y/k - s*x/n)/n", "y/(n*k) - (x@y)*x/(n**3*k)", "(eye(4) - outer(x, x)/n**2)@y/(n*k)"]},
        {
            "x": [
                ("missing factor", "y/(n*k)"),
                ("sign", "(y/k + s*x/n)/n"),
                ("swapped arguments|wrong variable", "(x/n - s*y/k)/k"),
            ]
        },
    ),
    problem(
        "Kullback-Leibler divergence",
        "sum(p*log(p/q))",
        {"p": "unit 5", "q": "unit 5"},
        "",
        {
            "p": ["log(p/q) + 1", "log(p) - log(q) + 1", "1 - log(q/p)"],
            "q": ["-p/q", "-p*q**-1.0", "-exp(log(p) - log(q))"],
        },
        {
            "p": [
                ("missing factor", "log(p/q)"),
                ("swapped arguments|sign", "log(q/p) + 1"),
                ("wrong variable", "-p/q"),
            ],
            "q": [("swapped arguments", "-q/p"), ("missing factor", "-1/q"), ("wrong variable", "log(p/q) + 1")],
        },
    ),
    problem(
        "entropy",
        "-sum(p*log(p))",
        {"p": "unit 5"},
        "",
        {"p": ["-(log(p) + 1)", "-log(p) - 1", "log(1/p) - 1", "-log(e*p)"]},
        {
            "p": [
                ("missing factor", "-log(p)"),
                ("missing factor", "-ones_like(p)"),
                ("sign", "1 - log(p)"),
                ("wrong variable", "-p*log(p)"),
            ]
        },
    ),
    problem(
        "Gaussian log likelihood",
        "sum(0.5*((x - mu)/sigma)**2 + log(sigma))",
        {"mu": "", "sigma": "positive", "x": "6"},
        "u = (x - mu)/sigma; m = len(x)",
        {
            "mu": ["-sum(u)/sigma", "sum(mu - x)/sigma**2", "(m*mu - sum(x))/sigma**2"],
            "sigma": ["sum(1 - u**2)/sigma", "m/sigma - sum((x - mu)**2)/sigma**3", "(m - u@u)/sigma"],
        },
        {
            "mu": [
                ("sign", "sum(u)/sigma"),
                ("missing factor", "-sum(u)"),
                ("mean for sum", "-mean(u)/sigma"),
                ("missing sum|shape", "-u/sigma"),
            ],
            "sigma": [
                ("missing factor", "-sum(u**2)/sigma"),
                ("sign", "sum(1 + u**2)/sigma"),
                ("missing sum|factor", "1/sigma - sum(u**2)/sigma"),
            ],
        },
    ),
    problem(
        "Huber loss",
        "r = x - y; sum(where(abs(r) < 1, 0.5*r**2, abs(r) - 0.5))",
        {"x": "8", "y": "8"},
        "r = x - y",
        {
            "x": [
                "where(abs(r) < 1, r, sign(r))",
                "clip(r, -1, 1)",
                "maximum(minimum(r, 1), -1)",
                "r/maximum(abs(r), 1)",
            ]
        },
        {
            "x": [
                ("missing factor", "where(abs(r) < 1, r, 1.0)"),
                ("factor", "where(abs(r) < 1, 2*r, sign(r))"),
                ("missing factor", "where(abs(r) < 1, r, 0.0)"),
            ]
        },
    ),
]
