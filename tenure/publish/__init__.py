"""What leaves the house: the attrition list and the report. Frames come in; a frame and a page go out."""
