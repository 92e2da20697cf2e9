"""Tables and the picture of what speed.py has measured."""

from typing import Any

import numpy as np

Results = dict[str, Any]


def table(head: str, rows: list[str]) -> str:
    """Return a Markdown table; numbers to the right but for the first column."""
    columns = head.count("|") + 1
    return "\n".join([f"| {head} |", "|---|" + "---:|" * (columns - 1), *(f"| {row} |" for row in rows)])


def exponent(sizes: Any, values: Any) -> float:
    """Return p of values ~ sizes^p by least squares of the logarithms."""
    return float(np.polyfit(np.log(sizes), np.log(values), 1)[0])


def scatter(sizes: Any, values: Any) -> float:
    """Return the root mean square of the relative distance from the fit of `exponent`."""
    line = np.polyfit(np.log(sizes), np.log(values), 1)
    return float(np.sqrt(np.mean((np.log(values) - np.polyval(line, np.log(sizes))) ** 2)))


def large_enough(rows: list[Results]) -> list[Results]:
    """Return the sizes from 25,000 triangles on, if they span a factor of four at least; else nothing."""
    chosen = [row for row in rows if row["triangles"] >= 25_000]
    span = max((row["triangles"] for row in chosen), default=0) / min((row["triangles"] for row in chosen), default=1)
    return chosen if span >= 4.0 else []


def machine_line(results: Results) -> str:
    """Return the machine in a line."""
    m = results["machine"]
    return (
        f"{m['processor']}, {m['cores']} cores, {m['threads']} threads, Python {m['Python']}, numpy {m['numpy']}, "
        f"numba {m['numba']}; load {m['load when begun']} when begun"
    )


def accuracy(rows: list[Results]) -> str:
    """Return the errors, with the order between one mesh and the next of the same case."""
    lines, before = [], {}
    for row in rows:
        key = row["case"], row["product"]
        last = before.get(key) or before.get((row["case"], 1e-4))
        order = ""
        if last is not None and last["edge"] > row["edge"]:
            order = f"{np.log(last['error'] / row['error']) / np.log(last['edge'] / row['edge']):.2f}"
        before[key] = row
        lines.append(
            f"{row['case']} | {row['triangles']:,} | {row['edge']:.1f} | {row['product']:.0e} | {row['error']:.4%} "
            f"| {order} | {row['estimate']:.3%} | {row['iterations']} | {row['seconds']:.1f} | {row['peak']:.2f}"
        )
    head = (
        "five spheres | triangles | pia edge mm | product accuracy | error of E | order | estimate | iterations "
        "| build and solve s | peak GiB"
    )
    return "## Accuracy against triangles\n\n" + table(head, lines)


def products(rows: list[Results]) -> str:
    """Return the products, with the fitted exponent."""
    lines = [
        f"{r['triangles']:,} | {r['build']:.1f} | {r['one']:.4f} | {r['many']:.4f} "
        f"| {r['one'] / r['triangles'] * 1e6:.2f} | {r['error']:.1e} | {r['bytes'] / 2**20:,.0f} | {r['peak']:.2f}"
        for r in rows
    ]
    head = (
        "triangles | build s | one product s | in a block of 16, each s | one, us per triangle | error "
        "| stored MiB | peak GiB"
    )
    text = "## Seconds per product against triangles, accuracy 1e-4\n\n" + table(head, lines)
    chosen = large_enough(rows)
    if chosen:
        n = np.array([r["triangles"] for r in chosen])
        times = {name: np.array([r[key] for r in chosen]) for name, key in (("alone", "one"), ("in a block", "many"))}
        text += f"\n\nFrom {n[0]:,} to {n[-1]:,} triangles seconds grow as " + ", ".join(
            f"N^{exponent(n, t):.3f} {name} (rms distance from it {scatter(n, t):.0%})" for name, t in times.items()
        )
        text += "."
    return (
        text + "\n\nError: relative, at 200 random triangles, against the direct sum over 7 points of every other "
        "triangle of the exact solid angle under which the one is seen."
    )


def same_accuracy(ours: float, runs: list[Results]) -> Results:
    """Return the run whose error is the smallest of those not below ours; if all are below, the least accurate."""
    allowed = [run for run in runs if run["error"] >= ours]
    return min(allowed, key=lambda run: run["error"]) if allowed else max(runs, key=lambda run: run["error"])


def comparison(results: Results) -> str:
    """Return FMM3D and the direct sum beside a product of the same number of triangles."""
    text = "## Against the FMM3D wheel and the direct sum\n\n"
    ours = {r["triangles"]: r for r in [*results.get("products", []), *results.get("compared", [])]}
    lines = []
    for row in results.get("fmm3dpy", []):
        if "missing" in row:
            return text + row["missing"]
        mine = ours[row["triangles"]]
        for run in row["runs"]:
            mark = " (the one compared)" if run is same_accuracy(mine["error"], row["runs"]) else ""
            lines.append(
                f"fmm3dpy, eps {run['eps']:.0e}{mark} | {row['triangles']:,} | {run['error']:.1e} "
                f"| {run['seconds']:.2f} | {mine['error']:.1e} | {mine['one']:.4f} | {run['seconds'] / mine['one']:.1f}"
            )
    for row in results.get("direct", []):
        mine = ours[row["triangles"]]
        lines.append(
            f"direct sum, {row['precision']} | {row['triangles']:,} | | {row['seconds']:.2f} "
            f"| {mine['error']:.1e} | {mine['one']:.4f} | {row['seconds'] / mine['one']:.1f}"
        )
    head = "what | triangles | its error | its s | our error | our s | times faster"
    return (
        text
        + table(head, lines)
        + "\n\nfmm3dpy: gradient at the centroids of point charges there; its error is against their direct sum at "
        "1,000 of them. The one compared (and drawn): the least error that is not below ours, or if there is none the "
        "greatest. Direct sum: the same point charges, all pairs, numba on all threads; it errs where triangles are "
        "near, as a point stands for each. Ours: mean normal field on triangles of charge on triangles."
    )


def parts(rows: list[Results]) -> str:
    """Return where the time of building and of one solve goes."""
    text = "## Where the time goes\n"
    for row in rows:
        lines = []
        for stage in ("build", "solve"):
            whole = row[f"{stage} in all"]
            lines += [f"{stage}: {name} | {value:.2f} | {value / whole:.0%}" for name, value in row[stage].items()]
            lines += [f"**{stage} in all** | {whole:.2f} |"]
        text += (
            f"\n{row['head']}, {row['triangles']:,} triangles, residual 1e-5 in {row['iterations']} iterations, "
            f"{row['points']:,} points; head loaded in {row['load']:.1f} s; stored {row['bytes'] / 2**20:,.0f} MiB, "
            f"peak {row['peak after build']:.2f} GiB after building, {row['peak']:.2f} GiB in all\n\n"
            + table("part | s | share", lines)
            + "\n"
        )
    return text


def blocks(rows: list[Results]) -> str:
    """Return what a block of right-hand sides saves."""
    lines = [
        f"{r['head']} | {r['triangles']:,} | {r['product one'] * 1e3:.1f} | {r['product each'] * 1e3:.1f} "
        f"| {r['product each'] / r['product one']:.2f} | {r['solve one'] * 1e3:,.0f} | {r['solve each'] * 1e3:,.0f} "
        f"| {r['solve each'] / r['solve one']:.2f} | {min(r['iterations one'])}-{max(r['iterations one'])} "
        f"| {r['iterations block']} | {r['peak one']:.2f} | {r['peak']:.2f}"
        for r in rows
    ]
    head = (
        "head | triangles | product alone ms | in the block, each ms | ratio | solve alone ms | in the block, each ms "
        "| ratio | iterations alone | in the block | peak alone GiB | in the block GiB"
    )
    note = ", ".join(f"{r['alone']} of {r['count']} were also solved alone" for r in rows[:1])
    return f"## Blocks of right-hand sides: one coil pose each, residual 1e-5 ({note})\n\n" + table(head, lines)


def million(rows: list[Results]) -> str:
    """Return the largest solve."""
    lines = [
        f"{r['triangles']:,} | {r['mesh']:.1f} | {r['build']:.1f} | {r['solve']:.1f} | {r['iterations']} "
        f"| {r['error']:.4%} | {r['bytes'] / 2**30:.2f} | {r['peak']:.2f}"
        for r in rows
    ]
    head = "triangles | mesh and its checks s | build s | solve s | iterations | error of E | stored GiB | peak GiB"
    return "## The largest solve: three spheres, residual 1e-5, product accuracy 1e-4\n\n" + table(head, lines)


def preconditioners(rows: list[Results]) -> str:
    """Return iteration counts, with what they say."""
    text = "## Iterations with and without preconditioners, residual 1e-5, one coil pose\n\n"
    lines = []
    for row in rows:
        first = row["variants"][0]["iterations"]
        for v in row["variants"]:
            count = f"more than {row['limit']}" if v["iterations"] is None else str(v["iterations"])
            saved = "" if v["iterations"] is None or first is None else f"{v['iterations'] / first - 1.0:+.0%}"
            difference = "" if v["iterations"] is None else f"{v['difference']:.1e}"
            lines.append(
                f"{row['head']} | {row['triangles']:,} | {v['variant']} | {count} | {saved} | {difference} "
                f"| {v['set-up']:.1f} | {v['seconds']:.1f}"
            )
    head = "head | triangles | variant | iterations | change | charge error | its set-up s | solve s"
    return text + table(head, lines) + "\n\nCharge error: against the same equations solved to a residual of 1e-7."


def print_all(results: Results) -> None:
    """Print every table there are results for."""
    print(machine_line(results) + "\n")
    for name, write in (
        ("accuracy", accuracy),
        ("products", products),
        ("parts", parts),
        ("blocks", blocks),
        ("million", million),
        ("preconditioners", preconditioners),
    ):
        if results.get(name):
            print(write(results[name]) + "\n")
        if name == "products" and (results.get("fmm3dpy") or results.get("direct")):
            print(comparison(results) + "\n")


def plot(results: Results, path: str) -> None:
    """Draw seconds per product, error against triangles, and where a solve's time goes."""
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, 3, figsize=(16, 5.6), layout="constrained", width_ratios=[1.1, 1.0, 1.15])
    _plot_products(axes[0], results)
    _plot_accuracy(axes[1], results)
    _plot_parts(axes[2], results)
    for panel in axes[:2]:
        panel.grid(visible=True, which="major", alpha=0.4)
        panel.grid(visible=True, which="minor", alpha=0.12)
        panel.set_xlabel("triangles")
    figure.supxlabel(f"python benchmarks/speed.py on {machine_line(results)}", fontsize=8, color="0.3")
    figure.savefig(path, dpi=110)
    plt.close(figure)


def _plot_products(axes: Any, results: Results) -> None:
    rows = sorted(results.get("products", []) + results.get("compared", []), key=lambda r: r["triangles"])
    axes.set_title("One matrix product, five nested spheres")
    axes.set_ylabel("seconds per product")
    if not rows:
        return
    n = np.array([r["triangles"] for r in rows])
    one, many = (np.array([r[k] for r in rows]) for k in ("one", "many"))
    fitted = large_enough(results.get("products", []))
    growth = ""
    if fitted:
        growth = f"; N$^{{{exponent([r['triangles'] for r in fitted], [r['one'] for r in fitted]):.2f}}}$ from 25k"
    error = max(r["error"] for r in rows)
    axes.loglog(n, one, "o-", color="C0", label=f"efield, alone (error ≤ {error:.1e}{growth})")
    axes.loglog(n, many, "s-", color="C2", mfc="none", label="efield, each of 16 in a block")
    ours = {r["triangles"]: r["error"] for r in rows}
    wheel = [r for r in results.get("fmm3dpy", []) if "runs" in r]
    fmm = [(r["triangles"], same_accuracy(ours[r["triangles"]], r["runs"])) for r in wheel]
    if fmm:
        errors = [run["error"] for _, run in fmm]
        label = f"fmm3dpy, gradient (error {min(errors):.1e} to {max(errors):.1e})"
        axes.loglog([size for size, _ in fmm], [run["seconds"] for _, run in fmm], "^-", color="C3", label=label)
    for color, precision in (("0.45", "FP64"), ("0.7", "FP32")):
        direct = [(r["triangles"], r["seconds"]) for r in results.get("direct", []) if r["precision"] == precision]
        if direct:
            size, taken = np.array(direct).T
            axes.loglog(size, taken, "D", color=color, label=f"direct sum over points, {precision}")
            beyond = np.array([size[-1], max(n[-1], size[-1])])
            axes.loglog(beyond, taken[-1] * (beyond / size[-1]) ** 2, ":", color=color, label="  extrapolated as N²")
    guide = np.array([n[0], n[-1]])
    axes.loglog(guide, 0.4 * one[0] * guide / guide[0], "k--", linewidth=0.8, label="slope of N")
    axes.legend(fontsize=8, loc="upper left")
    axes.set_ylim(top=axes.get_ylim()[1] * 12.0)  # room for the legend


def _plot_accuracy(axes: Any, results: Results) -> None:
    rows = results.get("accuracy", [])
    axes.set_title("Error 1.5 mm under the pia, five spheres")
    axes.set_ylabel("relative L2 error of E (%)")
    for color, case in (("C0", "concentric"), ("C1", "displaced")):
        for style, product in (("o-", 1e-4), ("o:", 1e-5)):
            chosen = [r for r in rows if r["case"] == case and r["product"] == product]
            if chosen:
                against = "closed form" if case == "concentric" else "spectral solution"
                axes.loglog(
                    [r["triangles"] for r in chosen],
                    [100.0 * r["error"] for r in chosen],
                    style,
                    color=color,
                    mfc=color if product == 1e-4 else "none",
                    label=f"{case}, against the {against}; products to {product:.0e}",
                )
    if rows:
        n = np.array([min(r["triangles"] for r in rows), max(r["triangles"] for r in rows)])
        top = 100.0 * max(r["error"] for r in rows)
        axes.loglog(n, 0.5 * top * n[0] / n, "k--", linewidth=0.8, label="second order: edge², or 1/N")
        bars = {25_600: 0.2, 102_400: 0.06, 409_600: 0.03}
        axes.loglog(list(bars), list(bars.values()), "kv", label="wanted: not above")
        axes.legend(fontsize=8, loc="upper right")
        axes.set_ylim(top=axes.get_ylim()[1] * 4.0)  # room for the legend


def _plot_parts(axes: Any, results: Results) -> None:
    rows = results.get("parts", [])[-1:]
    axes.set_title("Where the time goes")
    axes.set_ylabel("seconds")
    labels: list[str] = []
    tallest = max((row[f"{stage} in all"] for row in rows for stage in ("build", "solve")), default=0.0)
    apart = 2.0
    for row in rows:
        for stage in ("build", "solve"):
            position, bottom, lowest = apart * len(labels), 0.0, 0.0
            whole = row[f"{stage} in all"]
            for k, (name, value) in enumerate(row[stage].items()):
                color = f"C{k}" if stage == "build" else f"C{k + 4}"
                axes.bar(position, value, bottom=bottom, color=color, width=0.4, alpha=0.85)
                height = max(bottom + 0.5 * value, lowest + 0.02 * tallest)  # labels must not cover each other
                axes.text(position + 0.23, height, f"{value:.2f} s  {name}", va="center", fontsize=7.5)
                lowest = height + 0.015 * tallest
                bottom += value
            axes.text(position, bottom, f"{whole:.1f} s", ha="center", va="bottom", fontweight="bold", fontsize=9)
            kind = "building the solver" if stage == "build" else f"one solve, 1e-5\n{row['iterations']} iterations"
            labels.append(f"{row['head']}\n{row['triangles']:,} triangles\n{kind}")
    axes.set_xticks(apart * np.arange(len(labels)), labels, fontsize=8)
    axes.set_xlim(-0.4, max(apart * len(labels) - 0.3, 1.0))
    axes.set_ylim(top=1.08 * max(tallest, 1e-3))
