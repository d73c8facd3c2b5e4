// What pages do beyond links and forms: names and masks that light up together, and the choice of light or dark.
"use strict";

(function () {
  const root = document.documentElement;
  const button = document.getElementById("theme");
  const system = window.matchMedia("(prefers-color-scheme: dark)");

  function stored() {
    try { return window.localStorage.getItem("theme"); } catch (error) { return null; } // refused by the browser
  }

  function dark() {
    const chosen = root.dataset.theme;
    return chosen ? chosen === "dark" : system.matches;
  }

  function tell() {
    if (button) {
      button.setAttribute("aria-pressed", String(dark()));
      button.textContent = dark() ? "Light" : "Dark";
      button.setAttribute("aria-label", dark() ? "Use light colors" : "Use dark colors");
    }
  }

  const before = stored();
  if (before === "dark" || before === "light") { root.dataset.theme = before; }
  tell();
  system.addEventListener("change", tell);
  if (button) {
    button.hidden = false;
    button.addEventListener("click", function () {
      root.dataset.theme = dark() ? "light" : "dark";
      try { window.localStorage.setItem("theme", root.dataset.theme); } catch (error) { /* it holds for this page */ }
      tell();
    });
  }

  // Masks and names that share a `data-key` within a `data-linked` element light up together.
  function light(scope, key) {
    scope.classList.toggle("lighting", Boolean(key));
    scope.querySelectorAll("[data-key]").forEach(function (one) {
      one.classList.toggle("lit", Boolean(key) && one.dataset.key === key);
    });
  }

  document.querySelectorAll("[data-linked]").forEach(function (scope) {
    let held = scope.dataset.lit || "";
    light(scope, held);
    const keyed = function (event) { return event.target.closest ? event.target.closest("[data-key]") : null; };
    scope.addEventListener("mouseover", function (event) { const one = keyed(event); if (one) { light(scope, one.dataset.key); } });
    scope.addEventListener("mouseout", function (event) { if (keyed(event)) { light(scope, held); } });
    scope.addEventListener("focusin", function (event) { const one = keyed(event); if (one) { light(scope, one.dataset.key); } });
    scope.addEventListener("focusout", function (event) { if (keyed(event)) { light(scope, held); } });
    scope.addEventListener("click", function (event) {
      const one = keyed(event);
      if (one && !event.target.closest("a")) { held = held === one.dataset.key ? "" : one.dataset.key; light(scope, held); }
    });
    scope.querySelectorAll("[data-masks]").forEach(function (box) {
      box.addEventListener("change", function () { scope.classList.toggle("bare", !box.checked); });
    });
  });

  // A filter applies as soon as it is chosen; without script there is a button.
  document.querySelectorAll("form[data-apply]").forEach(function (form) {
    form.querySelectorAll("select").forEach(function (one) {
      one.addEventListener("change", function () {
        form.querySelectorAll("input, select").forEach(function (field) { if (!field.value) { field.disabled = true; } });
        form.submit();
      });
    });
  });
  window.addEventListener("pageshow", function () {
    document.querySelectorAll("form[data-apply] [disabled]").forEach(function (field) { field.disabled = false; });
  });

  // Keys: "/" to the search field, "j" and "k" to the next and the previous page.
  document.addEventListener("keydown", function (event) {
    const field = event.target.closest && event.target.closest("input, textarea, select");
    if (event.ctrlKey || event.metaKey || event.altKey) {
      if (event.key === "Enter" && field && field.form && field.dataset.run !== undefined) { field.form.submit(); }
      return;
    }
    if (field) { return; }
    const wanted = { "/": "[data-search]", "j": "a[rel=next]", "k": "a[rel=prev]" }[event.key];
    const found = wanted && document.querySelector(wanted);
    if (found) { event.preventDefault(); if (found.matches("a")) { found.click(); } else { found.focus(); } }
  });
})();
