// Asking the service, with its token where it wants one.

const KEY = "reactor-token";

export class Refused extends Error {
  constructor(status, error, hint) {
    super(hint ? `${error} (${hint})` : error);
    this.status = status;
  }
}

/** The headers of a request. */
export function headers(more = {}) {
  const token = sessionStorage.getItem(KEY);
  return token ? { ...more, Authorization: `Bearer ${token}` } : more;
}

export async function get(path, signal) {
  return answered(() => fetch(path, { headers: headers(), signal }));
}

export async function post(path, body = {}) {
  const send = () =>
    fetch(path, { method: "POST", headers: headers({ "Content-Type": "application/json" }), body: JSON.stringify(body) });
  return answered(send);
}

async function answered(send) {
  let response = await send();
  while (response.status === 401) {
    await token();
    response = await send();
  }
  const body = await response.json().catch(() => ({}));
  if (!response.ok) throw new Refused(response.status, body.error ?? `the service answered ${response.status}`, body.hint);
  return body;
}

let asking = null;

/** Asks the person for the token; everyone who waits for it waits for the same answer. */
export function token() {
  asking ??= ask().finally(() => (asking = null));
  return asking;
}

function ask() {
  const dialog = document.getElementById("ask");
  const field = document.getElementById("token");
  document.getElementById("ask-error").hidden = !sessionStorage.getItem(KEY);
  field.value = "";
  dialog.showModal();
  return new Promise((resolve) => {
    const cancel = (event) => event.preventDefault();
    dialog.addEventListener("cancel", cancel);
    dialog.addEventListener(
      "close",
      () => {
        dialog.removeEventListener("cancel", cancel);
        sessionStorage.setItem(KEY, field.value.trim());
        field.value = "";
        resolve();
      },
      { once: true },
    );
  });
}
