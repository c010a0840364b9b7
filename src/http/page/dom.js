// The few things that every part does with the page. Text only ever goes into it as text.

export const $ = (id) => document.getElementById(id);

// Does `act` whenever the element of this id tells of `event`.
export function on(id, event, act) {
	$(id).addEventListener(event, act);
}

export function make(tag, text, parent, className = "") {
	const element = document.createElement(tag);
	[element.textContent, element.className] = [text, className];
	parent.append(element);
	return element;
}

// A live region speaks when its text changes, so it is left alone while it does not.
export function setText(id, text) {
	if ($(id).textContent !== text) $(id).textContent = text;
}

// Fills a list anew only when what it shows has changed, so that neither focus nor a reader loses its place.
export function refill(list, state, fill) {
	const mark = JSON.stringify(state);
	if (list.shown === mark) return;
	list.shown = mark;
	list.replaceChildren();
	fill(list);
}

// A button that does what cannot be undone only when it is pressed again.
export function twice(parent, text, act) {
	const button = make("button", text, parent);
	button.onclick = () => {
		button.textContent = `Really? ${text}`;
		button.onclick = act;
	};
}
