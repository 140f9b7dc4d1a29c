// Photos of a telephone are made smaller before they are sent: a hand with one bar of signal sends them too.
import { t } from "./texts.js";

const EDGE = 2000; // pixels of the longer side
const LARGE = 900_000; // bytes from which a photo is made smaller

async function smaller(file) {
  if (file.size < LARGE || !/^image\/(jpeg|png|webp)$/.test(file.type)) return file;
  try {
    const picture = await createImageBitmap(file, { imageOrientation: "from-image" });
    const scale = Math.min(1, EDGE / Math.max(picture.width, picture.height));
    const canvas = document.createElement("canvas");
    canvas.width = Math.round(picture.width * scale);
    canvas.height = Math.round(picture.height * scale);
    canvas.getContext("2d").drawImage(picture, 0, 0, canvas.width, canvas.height);
    picture.close();
    const made = await new Promise((done) => canvas.toBlob(done, "image/jpeg", 0.85));
    if (!made || made.size >= file.size) return file;
    return new File([made], file.name.replace(/\.\w+$/, "") + ".jpg", { type: "image/jpeg" });
  } catch {
    return file; // what the browser cannot read is the server's to refuse
  }
}

document.addEventListener("change", async (event) => {
  const field = event.target;
  if (!field.matches?.("input[type=file][data-photos]")) return;
  const line = field.parentElement.querySelector("[data-chosen]");
  const count = field.files.length;
  const button = field.form.querySelector(".step-foot button");
  line.textContent = count ? t("正在准备照片…") : "";
  button.disabled = true;
  const held = new DataTransfer();
  for (const file of [...field.files]) held.items.add(await smaller(file));
  field.files = held.files;
  button.disabled = false;
  line.textContent = count ? t("已选 %(n)s 张", { n: count }) : "";
});
