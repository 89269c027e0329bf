"""Taylor's reason to walk against the gradient.

Near a point, a loss changes as its tangent plane does: by the length of the step times the slope in its direction u,
which is <u, g>. Of all directions that is least for u = -g / |g|, where it is -|g|. What the plane leaves out, half the
step squared times the curvature u'Hu, counts the less the shorter the step: a short enough one lowers any smooth loss.
"""

import sys
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

import microgd as mg

samples = [(0.5, 0.2), (2.5, 0.9)]


def loss(p):
    return sum((mg.sigmoid(p[0] * x + p[1]) - y) ** 2 for x, y in samples) / 2


here = np.array([0.0, 0.0])
g, H = mg.grad(loss)(here), mg.hessian(loss)(here)
length = np.linalg.norm(g)
up = g / length
across = np.array([-up[1], up[0]])
print(f"gradient ({g[0]:.4f}, {g[1]:.4f}), of length {length:.4f}")

angles = np.linspace(0, 2 * np.pi, 73)
slopes = [mg.jvp(loss, (here,), (np.cos(a) * up + np.sin(a) * across,))[1] for a in angles]
for k in (0, 12, 18, 36):
    print(f"{np.degrees(angles[k]):3.0f} degrees from the gradient the slope is {slopes[k]:7.4f}")

down = -up
curvature = down @ H @ down
print("    step   change   plane says   with the curvature")
steps = np.geomspace(0.01, 10, 7)
for step in steps:
    plane, bent = -length * step, -length * step + curvature * step**2 / 2
    print(f"{step:8.4f}   {loss(here + step * down) - loss(here):8.5f}   {plane:8.5f}   {bent:8.5f}")

plt.style.use("tableau-colorblind10")
fig, (compass, along) = plt.subplots(1, 2, figsize=(11, 4.5), layout="constrained")
compass.plot(np.degrees(angles), slopes, label="slope of the loss")
compass.plot(180, -length, "C1o", ms=10, label="against the gradient: the least")
compass.set(xlabel="degrees between the direction and the gradient", ylabel="slope", xticks=range(0, 361, 90))
compass.legend(loc="upper center")
way = np.linspace(0, 4, 100)
along.plot(way, [loss(here + s * down) - loss(here) for s in way], "k", label="the loss")
along.plot(way, -length * way, "--", label="its tangent")
along.plot(way, -length * way + curvature * way**2 / 2, ":", lw=2.5, label="with the curvature")
along.set(xlabel="length of the step against the gradient", ylabel="change of the loss", ylim=(-0.15, 0.15))
along.legend()
picture = Path(sys.argv[1] if len(sys.argv) > 1 else tempfile.mkdtemp()) / "why_against_the_gradient.png"
fig.savefig(picture)
print(f"picture: {picture}")
