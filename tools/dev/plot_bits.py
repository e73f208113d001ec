"""Draws what a run does to the bits, as SVG: bit widths and kept channels of every tensor over the epochs.

    python3 tools/dev/plot_bits.py run.log.jsonl bits.svg

Reads the JSON lines that `bitgate train` writes beside a checkpoint. Only the standard library is used.
"""

import itertools
import json
import sys

# Light to dark: fewer bits are lighter; a tensor that is gone is white.
COLORS = {0: "#ffffff", 2: "#dbe9f6", 4: "#9ecae1", 8: "#4292c6", 16: "#08519c", 32: "#08306b"}
LEFT, TOP, ROW, WIDTH, GAP = 130, 48, 22, 560, 6


def text(x, y, content, anchor="start", size=12, color="#222"):
    return (f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" text-anchor="{anchor}" fill="{color}" '
            f'font-family="sans-serif">{content}</text>')


def bit_rows(lines, sites):
    """One row per tensor: a bar for each run of epochs at one bit width."""
    cell = WIDTH / len(lines)
    for row, site in enumerate(sites):
        y = TOP + row * ROW
        yield text(LEFT - 8, y + ROW - 8, site, "end")
        epoch = 0
        for bits, run in itertools.groupby(line["bits"][site] for line in lines):
            length = len(list(run))
            x = LEFT + epoch * cell
            yield (f'<rect x="{x:.1f}" y="{y}" width="{length * cell:.1f}" height="{ROW - 4}" fill="{COLORS[bits]}" '
                   f'stroke="#fff"/>')
            yield text(x + 4, y + ROW - 8, str(bits), size=11, color="#fff" if bits >= 8 else "#222")
            epoch += length


def channel_lines(lines, layers, top, height):
    """Kept channels of each weight that may lose some, as a share of all."""
    dashes = ["", "6 3", "2 3", "8 3 2 3"]
    step = WIDTH / max(len(lines) - 1, 1)
    yield text(LEFT - 8, top + 10, "channels 100 %", "end")
    yield text(LEFT - 8, top + height, "0 %", "end")
    yield f'<rect x="{LEFT}" y="{top}" width="{WIDTH}" height="{height}" fill="none" stroke="#ccc"/>'
    labels = []
    for index, layer in enumerate(layers):
        shares = [line["kept_channels"][layer] for line in lines]
        points = " ".join(f"{LEFT + i * step:.1f},{top + height * (1 - kept / total):.1f}"
                          for i, (kept, total) in enumerate(shares))
        yield (f'<polyline points="{points}" fill="none" stroke="#c2410c" stroke-width="2" '
               f'stroke-dasharray="{dashes[index % len(dashes)]}"/>')
        kept, total = shares[-1]
        labels.append((top + height * (1 - kept / total) + 4, f"{layer.split('/')[0]} {kept}/{total}"))
    lowest = 0
    for y, label in sorted(labels):
        lowest = max(y, lowest + 12)  # labels of lines that end together are moved apart
        yield text(LEFT + WIDTH + 6, lowest, label, size=11)


def draw(lines):
    sites = list(lines[0]["bits"])
    layers = [name for name, (_, total) in lines[-1]["kept_channels"].items()
              if any(line["kept_channels"][name][0] < total for line in lines)]
    channels_top = TOP + len(sites) * ROW + GAP
    height = 90 if layers else 0
    bottom = channels_top + height + 20
    first, last = lines[0], lines[-1]
    yield (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {LEFT + WIDTH + 110} {bottom + 8}" '
           f'width="{LEFT + WIDTH + 110}">')
    yield '<rect width="100%" height="100%" fill="#fff"/>'
    yield text(LEFT, 18, "Bit width of every tensor, epoch by epoch", size=14)
    yield text(LEFT, 36, f"bit operations {100 * first['relative_bops']:.2f} % of float after the first epoch, "
               f"{100 * last['relative_bops']:.2f} % at the end; test accuracy {100 * last['test_accuracy']:.2f} %")
    yield from bit_rows(lines, sites)
    if layers:
        yield from channel_lines(lines, layers, channels_top, height)
    yield text(LEFT, bottom, "epoch 1")
    yield text(LEFT + WIDTH, bottom, f"epoch {len(lines)}", "end")
    yield "</svg>"


def main():
    if len(sys.argv) != 3:
        sys.exit("usage: plot_bits.py run.log.jsonl bits.svg")
    with open(sys.argv[1], encoding="utf-8") as file:
        lines = [json.loads(line) for line in file]
    if not lines:
        sys.exit(f"plot_bits.py: expected epochs in {sys.argv[1]}, got an empty log")
    with open(sys.argv[2], "w", encoding="utf-8") as file:
        file.write("\n".join(draw(lines)) + "\n")


if __name__ == "__main__":
    main()
