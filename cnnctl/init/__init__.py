"""A folder of photos -> a config that trains well as it is: look at the images, choose, write with the reasons."""
