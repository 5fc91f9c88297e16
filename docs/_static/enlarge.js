// Figures of notebook cells link to themselves at full size.
document.addEventListener("DOMContentLoaded", () => {
  for (const image of document.querySelectorAll("div.cell_output img")) {
    const link = document.createElement("a");
    link.href = image.src;
    link.title = "Show at full size";
    image.replaceWith(link);
    link.append(image);
  }
});
