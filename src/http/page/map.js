// The drawn map: fences, the way, the car with its accuracy and heading; no tiles. Web Mercator in radians; longitudes are
// taken nearest to the middle of the view, so that the antimeridian is no edge.

const RADIUS = 6371008.8;
const RAD = Math.PI / 180;
const TRACK = 3000;

const lift = (latitude) => Math.asinh(Math.tan(Math.max(-85, Math.min(85, latitude)) * RAD));
const turn = (degrees) => ((((degrees + 180) % 360) + 360) % 360) - 180;
export const place = ([longitude, latitude]) => ({ longitude, latitude });

// From one place to another near it.
export function metres(a, b) {
	return RADIUS * RAD * Math.hypot(b.latitude - a.latitude, turn(b.longitude - a.longitude) * Math.cos(a.latitude * RAD));
}

// The lines of a fence, each as places; a circle's middle is one.
function lines({ geometry: { type, coordinates: all } }) {
	const depth = { Point: [[all]], LineString: [all], MultiLineString: all, Polygon: all, MultiPolygon: all.flat() }[type];
	return depth.map((line) => line.map(place));
}

export class Map2D {
	constructor(canvas) {
		this.canvas = canvas;
		// The middle of the view, and pixels a radian: at first some 500 m on a phone.
		this.view = { longitude: 0, y: 0, scale: 4e6 };
		this.forget();
		this.pointers = new Map();
		// What draws instead of moving the map: {down, move, up, cancel}.
		this.pen = null;
		this.sketch = null;
		new ResizeObserver(() => this.due()).observe(canvas);
		this.listen();
	}

	forget() {
		[this.fences, this.track, this.car, this.isFollowing] = [[], [], null, true];
	}

	moveTo(location) {
		if (location.latitude === undefined) return;
		if (!this.car || metres(this.car, location) > 1) this.track.push(location);
		if (this.track.length > TRACK) this.track.shift();
		this.car = location;
		if (this.isFollowing) this.centre(location);
		this.due();
	}

	// The way until now.
	before(places) {
		this.track = [...places, ...this.track].slice(-TRACK);
		this.due();
	}

	setFences(fences) {
		this.fences = fences;
		// Somewhere to look at, until the car is known.
		if (!this.car && fences.length) this.centre(lines(fences[0])[0][0]);
		this.due();
	}

	size() {
		return [this.canvas.clientWidth, this.canvas.clientHeight];
	}

	point({ latitude, longitude }) {
		const [width, height] = this.size();
		const { scale, y, longitude: middle } = this.view;
		return [width / 2 + turn(longitude - middle) * RAD * scale, height / 2 - (lift(latitude) - y) * scale];
	}

	place(x, y) {
		const [width, height] = this.size();
		const longitude = turn(this.view.longitude + (x - width / 2) / this.view.scale / RAD);
		return { longitude, latitude: Math.atan(Math.sinh(this.view.y - (y - height / 2) / this.view.scale)) / RAD };
	}

	middle() {
		return this.place(...this.size().map((side) => side / 2));
	}

	// How many pixels `length` metres are at `latitude`.
	pixels(length, latitude = this.middle().latitude) {
		return (length / RADIUS / Math.cos(latitude * RAD)) * this.view.scale;
	}

	centre({ latitude, longitude }) {
		[this.view.longitude, this.view.y] = [longitude, lift(latitude)];
		this.due();
	}

	// Goes after the car from now on, until a person moves the map.
	follow() {
		this.isFollowing = true;
		if (this.car) this.centre(this.car);
	}

	zoom(factor, x = this.size()[0] / 2, y = this.size()[1] / 2) {
		const held = this.place(x, y);
		this.view.scale = Math.max(60, Math.min(2e8, this.view.scale * factor));
		const [nowX, nowY] = this.point(held);
		if (!this.isFollowing) this.pan(x - nowX, y - nowY);
		this.due();
	}

	move(dx, dy) {
		this.isFollowing = false;
		this.pan(dx, dy);
	}

	pan(dx, dy) {
		this.view.longitude = turn(this.view.longitude - dx / this.view.scale / RAD);
		this.view.y = Math.max(-3.1, Math.min(3.1, this.view.y + dy / this.view.scale));
		this.due();
	}

	listen() {
		const { canvas, pointers } = this;
		const on = (name, act) => canvas.addEventListener(name, (event) => act(event, [event.offsetX, event.offsetY]));
		on("pointerdown", ({ pointerId }, at) => {
			canvas.setPointerCapture(pointerId);
			pointers.set(pointerId, at);
			if (!this.pen) return;
			// A second finger means the view, not the fence.
			if (pointers.size === 1) this.pen.down(this.place(...at));
			else this.pen.cancel();
		});
		on("pointermove", ({ pointerId }, at) => {
			if (!pointers.has(pointerId)) return;
			if (this.pen && pointers.size === 1) this.pen.move(this.place(...at));
			else this.drag(pointerId, at);
			pointers.set(pointerId, at);
		});
		const end = (act) => ({ pointerId }) => pointers.delete(pointerId) && this.pen && !pointers.size && this.pen[act]();
		on("pointerup", end("up"));
		on("pointercancel", end("cancel"));
		on("wheel", (event, at) => {
			event.preventDefault();
			this.zoom(Math.exp(-event.deltaY / 400), ...at);
		});
		on("keydown", (event) => {
			const step = { ArrowLeft: [60, 0], ArrowRight: [-60, 0], ArrowUp: [0, 60], ArrowDown: [0, -60] }[event.key];
			const factor = { "+": 1.5, "=": 1.5, "-": 1 / 1.5 }[event.key];
			if (factor) this.zoom(factor);
			if (step) this.move(...step);
			if (step || factor) event.preventDefault();
		});
	}

	drag(id, to) {
		const from = this.pointers.get(id);
		const other = [...this.pointers.entries()].find(([each]) => each !== id);
		if (!other) return this.move(to[0] - from[0], to[1] - from[1]);
		const far = ([x, y]) => Math.max(1, Math.hypot(x - other[1][0], y - other[1][1]));
		return this.zoom(far(to) / far(from), ...other[1]);
	}

	due() {
		if (this.isDue) return;
		this.isDue = true;
		requestAnimationFrame(() => {
			this.isDue = false;
			if (this.canvas.clientWidth) this.draw();
		});
	}

	draw() {
		const [width, height] = this.size();
		const density = devicePixelRatio || 1;
		[this.canvas.width, this.canvas.height] = [width * density, height * density];
		const style = getComputedStyle(this.canvas);
		const ink = (name) => style.getPropertyValue(`--${name}`);
		const pen = this.canvas.getContext("2d");
		pen.scale(density, density);
		pen.font = `600 13px ${style.fontFamily}`;
		pen.lineJoin = "round";
		this.ruler(pen, width, height, ink);
		for (const fence of this.fences) this.outline(pen, fence, ink(fence.properties.source === "phone" ? "own" : "blue"));
		pen.strokeStyle = ink("green");
		pen.lineWidth = 4;
		this.trace(pen, this.track);
		pen.stroke();
		if (this.car) this.mark(pen, this.car, ink);
		if (this.sketch) this.outline(pen, this.sketch, ink("red"));
	}

	// A grid of round metres, and how long one side of it is.
	ruler(pen, width, height, ink) {
		const wish = 90 / this.pixels(1);
		const round = 10 ** Math.floor(Math.log10(wish));
		const step = [1, 2, 5, 10].map((times) => times * round).find((length) => length >= wish);
		const side = this.pixels(step);
		pen.strokeStyle = ink("line");
		pen.beginPath();
		for (let x = (width / 2) % side; x < width; x += side) pen.rect(x, -1, 0, height + 2);
		for (let y = (height / 2) % side; y < height; y += side) pen.rect(-1, y, width + 2, 0);
		pen.stroke();
		pen.fillStyle = ink("dim");
		pen.fillRect(12, height - 14, side, 3);
		pen.fillText(step >= 1000 ? `${step / 1000} km` : `${step} m`, 12, height - 20);
	}

	trace(pen, places) {
		pen.beginPath();
		places.forEach((each, n) => (n && !each.isBreak ? pen.lineTo(...this.point(each)) : pen.moveTo(...this.point(each))));
	}

	outline(pen, fence, colour) {
		const { radius, corridor_m: corridor, name } = fence.properties;
		const all = lines(fence).flatMap((line) => line.map((each, n) => ({ ...each, isBreak: n === 0 })));
		const points = all.map((each) => this.point(each));
		const round = radius ? Math.max(2, this.pixels(radius, all[0].latitude)) : 0;
		[pen.strokeStyle, pen.fillStyle, pen.lineWidth] = [colour, colour, corridor ? Math.max(3, this.pixels(corridor)) : 2.5];
		this.trace(pen, round ? [] : all);
		if (round) pen.arc(...points[0], round, 0, 7);
		pen.globalAlpha = corridor ? 0.3 : 0.14;
		if (!corridor) {
			pen.fill("evenodd");
			pen.globalAlpha = 1;
		}
		pen.stroke();
		pen.globalAlpha = 1;
		if (!name) return;
		const mean = (axis) => points.reduce((sum, point) => sum + point[axis], 0) / points.length;
		pen.textAlign = "center";
		pen.fillText(name.slice(0, 40), mean(0), mean(1) - (round ? round + 6 : 0));
		pen.textAlign = "start";
	}

	mark(pen, { latitude, longitude, accuracy = 0, heading }, ink) {
		pen.save();
		pen.fillStyle = ink("blue");
		pen.globalAlpha = 0.2;
		pen.translate(...this.point({ latitude, longitude }));
		pen.beginPath();
		pen.arc(0, 0, Math.max(12, this.pixels(accuracy, latitude)), 0, 7);
		pen.fill();
		pen.globalAlpha = 1;
		pen.rotate((heading || 0) * RAD);
		pen.beginPath();
		if (heading === undefined) pen.arc(0, 0, 8, 0, 7);
		else [[0, -14], [9, 10], [0, 5], [-9, 10]].forEach((corner) => pen.lineTo(...corner));
		pen.closePath();
		[pen.strokeStyle, pen.lineWidth] = [ink("card"), 3];
		pen.stroke();
		pen.fill();
		pen.restore();
	}
}
