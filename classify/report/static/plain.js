// The start of a page without curves and skies: its theme.

startTheme();
document.body.dataset.ready = "true";
