import { ActionIcon, Button, Checkbox, createTheme, Drawer, Menu, Modal, Tooltip } from "@mantine/core";

/**
 * How Mantine's parts behave here; how they look is in `styles/mantine.css`.
 *
 * Dialogs do not lock the scroll by Mantine's way, which writes a style element that the page's policy refuses.
 */
export const theme = createTheme({
  cursorType: "pointer",
  respectReducedMotion: true,
  components: {
    Button: Button.extend({ defaultProps: { size: "xs", variant: "default" } }),
    ActionIcon: ActionIcon.extend({ defaultProps: { size: "md", variant: "subtle", color: "gray" } }),
    Checkbox: Checkbox.extend({ defaultProps: { size: "xs" } }),
    TextInput: { defaultProps: { size: "xs" } },
    PasswordInput: { defaultProps: { size: "xs" } },
    Textarea: { defaultProps: { size: "xs" } },
    NumberInput: { defaultProps: { size: "xs" } },
    Select: { defaultProps: { size: "xs" } },
    MultiSelect: { defaultProps: { size: "xs" } },
    TagsInput: { defaultProps: { size: "xs" } },
    NativeSelect: { defaultProps: { size: "xs" } },
    SegmentedControl: { defaultProps: { size: "xs" } },
    Switch: { defaultProps: { size: "xs" } },
    Modal: Modal.extend({ defaultProps: { lockScroll: false, centered: true, closeButtonProps: { "aria-label": "Close" } } }),
    Drawer: Drawer.extend({ defaultProps: { lockScroll: false, closeButtonProps: { "aria-label": "Close" } } }),
    Menu: Menu.extend({ defaultProps: { withInitialFocusPlaceholder: false, position: "bottom-end", shadow: "md", width: 220 } }),
    Tooltip: Tooltip.extend({ defaultProps: { openDelay: 250, events: { hover: true, focus: true, touch: false } } }),
  },
});
