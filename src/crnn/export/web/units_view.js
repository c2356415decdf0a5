// The hidden units as a grid of squares, one block per layer. Blue is negative, orange is positive.

class UnitsView {
  constructor(canvas, model, onChoose) {
    this.canvas = canvas;
    this.model = model;
    this.onChoose = onChoose;
    this.units = new Float32Array(model.layers * model.hidden);
    this.chosen = -1;
    canvas.addEventListener("click", (event) => {
      const unit = this.at(event.offsetX, event.offsetY);
      if (unit >= 0) this.onChoose(unit);
    });
    new ResizeObserver(() => this.draw()).observe(canvas.parentNode);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.draw());
  }

  show(units) {
    this.units = units;
    this.draw();
  }

  // The grid that fits the width: columns, side of a square, rows per layer.
  measure() {
    const width = this.canvas.parentNode.clientWidth;
    const side = this.model.side || (this.model.hidden > 300 ? 9 : this.model.hidden > 100 ? 12 : 16);
    const columns = Math.max(1, Math.min(this.model.hidden, Math.floor(width / side)));
    return { side, columns, rows: Math.ceil(this.model.hidden / columns) };
  }

  // The top left corner of a unit's square. Layers are half a square apart.
  corner(unit, { side, columns, rows }) {
    const layer = Math.floor(unit / this.model.hidden);
    const i = unit % this.model.hidden;
    return [side * (i % columns), side * (Math.floor(i / columns) + layer * (rows + 0.5))];
  }

  at(x, y) {
    const grid = this.measure();
    for (let unit = 0; unit < this.units.length; unit++) {
      const [left, top] = this.corner(unit, grid);
      if (x >= left && x < left + grid.side && y >= top && y < top + grid.side) return unit;
    }
    return -1;
  }

  draw() {
    const grid = this.measure();
    const scale = window.devicePixelRatio || 1;
    const width = grid.columns * grid.side;
    const height = grid.side * (this.model.layers * (grid.rows + 0.5) - 0.5);
    if (this.canvas.width !== Math.round(width * scale) || this.canvas.height !== Math.round(height * scale)) {
      this.canvas.width = Math.round(width * scale);
      this.canvas.height = Math.round(height * scale);
      this.canvas.style.width = `${width}px`;
      this.canvas.style.height = `${height}px`;
    }
    const colors = getComputedStyle(this.canvas);
    const context = this.canvas.getContext("2d");
    context.setTransform(scale, 0, 0, scale, 0, 0);
    context.clearRect(0, 0, width, height);
    const draw = (unit, color, alpha) => {
      const [x, y] = this.corner(unit, grid);
      context.globalAlpha = alpha;
      context.fillStyle = color;
      context.fillRect(x, y, grid.side - 1, grid.side - 1);
    };
    const [none, positive, negative] = ["--unit-none", "--unit-positive", "--unit-negative"].map((name) =>
      colors.getPropertyValue(name)
    );
    for (let unit = 0; unit < this.units.length; unit++) {
      const value = this.units[unit];
      draw(unit, none, 1);
      draw(unit, value < 0 ? negative : positive, Math.min(1, Math.abs(value)));
    }
    if (this.chosen < 0) return;
    const [x, y] = this.corner(this.chosen, grid);
    context.globalAlpha = 1;
    context.lineWidth = 2;
    context.strokeStyle = colors.color;
    context.strokeRect(x, y, grid.side - 1, grid.side - 1);
  }
}
